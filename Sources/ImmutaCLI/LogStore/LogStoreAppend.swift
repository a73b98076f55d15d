import ArgumentParser
import Immuta
import ImmutaLogStore

/// `immuta logstore append`: lines into the partitions that their keys pick.
struct LogStoreAppend: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "append",
    abstract: "Append messages from files or standard input.",
    discussion: """
      Each line is a message. Its key picks the partition: the text before the line's first tab, which is then no \
      part of the message, or what --key or --key-field says. A line has at most a \
      megabyte, but with --key it may have any size.

      A new store; the number of partitions stays what it is:
        printf 'alice\\thello\\nbob\\thi\\n' | immuta logstore append chat --partitions 4

      JSON lines, by the value of a member:
        immuta logstore append orders events.jsonl --key-field customer

      All with one key, each on stable storage before its receipt is printed:
        ./server | immuta logstore append logs --key web-1 --durability synced --receipts

      The store remembers its partitions and its routing. A directory of the Go program is opened with the routing \
      go-compatible, unless --routing says otherwise the first time.
      """)

  @OptionGroup var location: StoreLocation

  @OptionGroup(title: "Keys") var keys: KeyOptions
  @Flag(help: "Pass over lines in which no key can be found, and say how many; else the first one ends the command.")
  var skipInvalid = false

  @Option(
    help: "What ends a message; with none, which needs --key, each file, or all of standard input, is one message.")
  var delimiter: Delimiter = .newline

  @OptionGroup(title: "A new store") var newStore: NewStoreOptions
  @OptionGroup var options: AppendOptions

  func validate() throws {
    if delimiter == .none, keys.key == nil {
      throw ValidationError("--delimiter none makes one message of each file: give its key with --key")
    }
  }

  @MainActor func execute() async throws {
    let input = try options.input()
    try Interruption.install()
    let source = keys.source ?? .beforeTab
    // What is refused at once makes no store.
    var first: RecordInput?
    if newStore.partitions != nil, !skipInvalid, !StoreLocation.isStore(location.directory) {
      let input = try options.read(input.paths[0], delimiter: delimiter.byte, ignoresMark: source.isInJSON)
      try StoreTarget.check(input, keys: source)
      first = input
    }
    let store = try options.lock.waiting {
      try newStore.open(
        location.directory, acceptsFilesOfOthers: location.allowForeignOwner, appending: options)
    }
    defer { store.close() }
    for number in 0..<store.partitionCount {
      do {
        LogKind.partition.say(openingNote: try store.openingNote(partition: number), of: "\(number)")
      } catch {
        // An error only for the messages that go there.
        if let message = Failure(error).message {
          Failure.say("note: partition \(number) cannot be used: \(message)")
        }
      }
    }
    let target = StoreTarget(store, keys: source)
    try await options.append(
      input, delimiter: delimiter.byte, ignoresMark: source.isInJSON, to: target, first: first,
      skipping: SkippedLines(isAllowed: skipInvalid))
    for number in 0..<store.partitionCount {
      // A partition that cannot be used was reported already.
      if let partition = try? store.partition(number) { try await options.retention.apply(to: partition.log) }
    }
    try await store.shutdown()
  }
}
