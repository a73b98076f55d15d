public import Foundation
public import Immuta

// The engine uses no Foundation, and Foundation knows only its own protocol: without this, `error.localizedDescription` says
// “The operation could not be completed.”

extension ImmutaError: LocalizedError {
  /// The same as `ImmutaError.description`: what happened, and what to do. So `error.localizedDescription` says it, too.
  public var errorDescription: String? { description }
}

extension TransformError: LocalizedError {
  /// The same as `TransformError.description`.
  public var errorDescription: String? { description }
}
