extension ImmutaError {
  /// There is no thread for what was to be done on one.
  init(_ failure: NoThread) {
    self = .io(errno: failure.errorNumber, operation: NoThread.call, path: "")
  }
}
