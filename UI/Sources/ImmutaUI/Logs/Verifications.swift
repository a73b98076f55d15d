import HTTPTypes
import Immuta
import NIOConcurrencyHelpers

/// Checks of whole logs, one at a time for each log; the last outcome of each is kept.
actor Verifications {
  private let shelf: LogShelf
  private var outcomes: [LogName: Outcome] = [:]
  /// Of the checks that go on.
  private var progress: [LogName: Progress] = [:]

  /// How many of how many records were checked.
  private final class Progress: Sendable {
    private let counts = NIOLockedValueBox<(done: Int, count: Int)?>(nil)

    func report(_ done: Int, of count: Int) { counts.withLockedValue { $0 = (done, count) } }
    /// Nil before anything is known.
    var last: (done: Int, count: Int)? { counts.withLockedValue { $0 } }
  }

  /// How the check of a log stands: an answer.
  struct Outcome: Encodable, Sendable {
    enum State: String, Encodable {
      case none
      case running
      case ok
      case damaged
      /// It could not be done.
      case failed
    }

    var state = State.none
    /// How many records were checked so far, and how many there are to check: of one that goes on.
    var done: Int?
    var total: Int?
    /// When it began and ended.
    var began: String?
    var ended: String?
    /// The result, or what is wrong, in words.
    var message: String?
    var records: Int?
    var bytes: Int?
    var verifiable: Int?
    var smallest: Int?
    var largest: Int?
    /// The codec of payloads that were compared as they are stored, and not decoded; empty for none.
    var undecodedCodec: String?
  }

  init(_ shelf: LogShelf) { self.shelf = shelf }

  func outcome(of name: LogName) -> Outcome {
    var outcome = outcomes[name] ?? Outcome()
    if let progress = progress[name]?.last { (outcome.done, outcome.total) = progress }
    return outcome
  }

  /// Begins to check a log, unless that goes on already; it does so by itself, and its outcome can be asked for.
  func begin(_ name: LogName) async throws -> Outcome {
    let log = try await shelf.log(name)
    if outcomes[name]?.state == .running { return outcome(of: name) }
    var outcome = Outcome(state: .running, began: "\(Timestamp.now)")
    outcomes[name] = outcome
    let progress = Progress()
    self.progress[name] = progress
    Task {
      do {
        let report = try await log.verify { done, count in progress.report(done, of: count) }
        outcome.state = .ok
        outcome.message = "\(report)"
        (outcome.records, outcome.bytes, outcome.verifiable) = (report.records, report.bytes, report.verifiable)
        (outcome.smallest, outcome.largest) = (report.smallestPayload, report.largestPayload)
        outcome.undecodedCodec = report.undecodedCodec
      } catch {
        let failure = Failure(error)
        outcome.state = failure.isDamage ? .damaged : .failed
        outcome.message = failure.message
        if failure.status == .conflict { shelf.forget(name) }
      }
      outcome.ended = "\(Timestamp.now)"
      self.finish(name, outcome)
    }
    return outcome
  }

  private func finish(_ name: LogName, _ outcome: Outcome) { (outcomes[name], progress[name]) = (outcome, nil) }
}
