import Immuta

/// Whether an error says that somebody else has a log open for writing.
public func isLocked(_ error: any Error) -> Bool {
  if case ImmutaError.locked = error { true } else { false }
}
