import HTTPTypes
import Hummingbird
import Immuta
import NIOCore

/// What went wrong, in one sentence for people, and as an answer.
struct Failure: HTTPResponseError {
  let status: HTTPResponse.Status
  let message: String
  /// Whether bytes of a log are damaged.
  var isDamage = false

  init(_ status: HTTPResponse.Status, _ message: String) {
    (self.status, self.message) = (status, message)
  }

  /// Something in the address that makes no sense.
  static func badRequest(_ message: String) -> Failure { Failure(.badRequest, message) }

  static func notFound(_ message: String) -> Failure { Failure(.notFound, message) }

  init(_ error: any Error) {
    switch error {
    case let failure as Failure: self = failure
    case let error as ImmutaError:
      self.init(Self.status(of: error), error.description)
      isDamage = status == .unprocessableContent
    case let error as IOError: self.init(.internalServerError, "cannot listen there: \(error)")
    default: self.init(.internalServerError, "\(error)")
    }
  }

  private static func status(of error: ImmutaError) -> HTTPResponse.Status {
    switch error {
    case .namespaceNotFound, .partitionNotFound, .recordNotFound, .recordRemoved: .notFound
    case .invalidNamespace, .positionBeyondEnd, .invalidPosition: .badRequest
    case .corrupted, .undecodable, .codecUnknown, .unsupportedVersion: .unprocessableContent
    case .logChanged: .conflict
    case .foreignOwner: .forbidden
    default: .internalServerError
    }
  }

  func response(from request: Request, context: some RequestContext) throws -> Response {
    var response = try Answer(error: message, damaged: isDamage).jsonResponse()
    response.status = status
    return response
  }

  private struct Answer: Encodable {
    let error: String
    let damaged: Bool
  }
}
