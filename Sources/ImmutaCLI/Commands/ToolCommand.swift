import ArgumentParser
import Immuta

/// A subcommand, which does its work on the main thread.
protocol ToolCommand: AsyncParsableCommand, Sendable {
  @MainActor func execute() async throws
}

extension ToolCommand {
  func run() async throws {
    try await execute()
  }
}

/// Throws a usage error for a number that an option cannot have.
func checkNumber(_ option: String, _ value: Int, isIn range: ClosedRange<Int>) throws {
  guard !range.contains(value) else { return }
  let (least, most) = (range.lowerBound, range.upperBound)
  let bounds = most == .max ? "\(least) or more" : "from \(least) to \(most)"
  throw ValidationError("\(option) is \(value); it must be \(bounds)")
}

/// Throws a usage error for a span of no time.
func checkIsNotZero(_ option: String, _ span: TimeSpan) throws {
  guard span.duration <= .zero else { return }
  throw ValidationError("\(option) is no time at all; give some, such as 5s, 2m, 1h or 30d")
}

/// Throws a usage error for a name that cannot be a namespace's.
func checkNamespace(_ name: String) throws {
  guard Storage.isValidNamespace(name) else {
    throw ValidationError(ImmutaError.invalidNamespace(name).description)
  }
}
