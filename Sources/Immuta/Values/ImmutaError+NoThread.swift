extension ImmutaError {
  /// The error for work that needs a thread, when none could be made.
  init(_ failure: NoThread) {
    self = .io(errno: failure.errorNumber, operation: NoThread.call, path: "")
  }
}
