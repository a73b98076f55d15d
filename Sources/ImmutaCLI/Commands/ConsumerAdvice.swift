import Immuta

/// What went wrong with a consumer, and the command that makes it go on: the library's advice is for programs, and `cat`'s own
/// advice is for users that say where to begin.
struct ConsumerAdvice {
  private let name: String
  private let namespace: String?
  private let directory: String

  /// A consumer of a namespace; of a store, where none is given.
  init(_ name: String, of namespace: String?, in directory: String) {
    (self.name, self.namespace, self.directory) = (name, namespace, directory)
  }

  /// The command that has it go on at `place`.
  ///
  /// - Parameter partition: of a store, the one that this is about; all, if there is none.
  func seek(to place: String, partition: String? = nil) -> String {
    let word = ToolCommandLine.word(name)
    if let namespace {
      return "\(ToolCommandLine.of("consumers seek", namespace, in: directory, then: word)) --to \(place)"
    }
    let choice = partition.map { " --partition \($0)" } ?? ""
    return "immuta logstore consumers seek \(ToolCommandLine.word(directory)) \(word)\(choice) --to \(place)"
  }

  /// What happened while the consumer was read; nil for errors that are not about its position.
  func reading(_ error: ImmutaError) -> ToolError? {
    switch error {
    case .recordRemoved(let sequence, let first, let place):
      ToolError(
        "record \(sequence)\(log(place)) was removed before the consumer “\(name)” had it: the log keeps its newest records "
          + "only, from number \(first) on; to go on there: `\(seek(to: "beginning", partition: partition(place)))`")
    case .positionBeyondEnd(let position, let count, let place):
      ToolError(
        "the consumer “\(name)” had come to record \(position)\(log(place)), and the log has \(Quantities.counted(count, "record")): "
          + "was it put back from an older copy? Put the right one in its place, or have the consumer go on elsewhere: "
          + "`\(seek(to: "latest", partition: partition(place)))`, or --to the number of the record that comes next")
    case .positionOutdated(let position, _, let place):
      ToolError(
        "the consumer “\(name)” had come to record \(position)\(log(place)), and the record before is another one now: the log "
          + "was put back from an older copy, or its end was cut off. Have the consumer go on at the record that comes next: "
          + "`\(seek(to: "N", partition: partition(place)))`")
    case .foreignPosition(_, _, let place):
      ToolError(
        "the position of the consumer “\(name)”\(log(place)) is one in another log: was the log replaced? Put the right one in "
          + "its place, or have the consumer go on in this one: "
          + "`\(seek(to: "beginning", partition: partition(place)))`, or --to another place")
    default: nil
    }
  }

  /// What happened when the consumer was moved; nil for errors that are not about the place.
  func seeking(_ error: ImmutaError) -> ToolError? {
    switch error {
    case .positionBeyondEnd(let position, let count, let place):
      ToolError(
        "--to \(position) is beyond the end\(log(place)): the log has \(Quantities.counted(count, "record")), and the consumer “\(name)” stays "
          + "where it is. Give a number up to \(count), or --to latest for what is appended from now on")
    case .recordRemoved(let sequence, let first, let place):
      ToolError(
        "record \(sequence)\(log(place)) was removed: the log keeps its newest records only, from number \(first) on, and the "
          + "consumer “\(name)” stays where it is. Give --to beginning, or --to \(first)")
    default: nil
    }
  }

  /// Calls code that reads as the consumer, and reports errors in the tool's words.
  @MainActor func whileReading<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
      return try await body()
    } catch let error as ImmutaError {
      throw reading(error) ?? error
    }
  }

  private func log(_ place: ImmutaError.Place) -> String {
    let words = namespace == nil ? "partition " : ""
    return place.namespace.map { " of \(words)“\($0)”" } ?? ""
  }

  private func partition(_ place: ImmutaError.Place) -> String? { place.namespace }
}
