/// Printing something again each second, until Ctrl-C: on a terminal in the same place, elsewhere after an empty line.
enum Repetition {
  /// - Parameters:
  ///   - asJSON: whether what is printed is an object a line, which nothing may come between.
  ///   - body: adds what is printed to the output.
  @MainActor static func run(asJSON: Bool, _ body: (Output) async throws -> Void) async throws {
    let output = Output()
    let isInPlace = !asJSON && System.isTerminal(System.standardOutput)
    System.exitOnceAbandoned()
    do {
      var isFirst = true
      while true {
        // To the upper left corner, and all cleared from there on.
        if isInPlace {
          output.bytes += Array("\u{1B}[H\u{1B}[J".utf8)
        } else if !isFirst, !asJSON {
          try output.line("")
        }
        try await body(output)
        try output.flush()
        isFirst = false
        try await Task.sleep(for: .seconds(1))
      }
    } catch is OutputClosed {
      // The reader has seen enough.
    }
  }
}
