import Foundation
import Immuta
import ImmutaLogStore
import Testing

@testable import ImmutaCLI

@Suite("Consumers of a store by the tool")
struct LogStoreConsumersTests {
  let place = Workplace()

  /// Lines of ten keys, in three partitions.
  private func append(_ numbers: Range<Int>) throws {
    let lines = numbers.map { "key \($0 % 10)\t\($0)\n" }.joined()
    #expect(try place.run("logstore", "append", "s", "--partitions", "3", input: lines).ending == .exit(0))
  }

  private func run(_ arguments: [String]) throws -> Outcome { try Child(arguments, in: place).finish() }

  private func numbers(_ outcome: Outcome) -> [Int] { outcome.lines.compactMap(Int.init).sorted() }

  @Test("cat --consumer goes on after what it printed, in all partitions or in one")
  func goesOn() throws {
    try append(0..<30)
    #expect(numbers(try place.run("logstore", "cat", "s", "--consumer", "mail")) == Array(0..<30))
    #expect(try place.run("logstore", "cat", "s", "--consumer", "mail").lines == [])
    try append(30..<3_000)
    let one = try place.run("logstore", "cat", "s", "--consumer", "mail", "--limit", "7")
    #expect(one.lines.count == 7)
    let alone = try place.run("logstore", "cat", "s", "--consumer", "mail", "--partition", "1")
    let rest = try place.run("logstore", "cat", "s", "--consumer", "mail")
    #expect((numbers(one) + numbers(alone) + numbers(rest)).sorted() == Array(30..<3_000))
    #expect(alone.lines.count > 0 && rest.lines.count > 0)
    for arguments in [["--from", "1"], ["--latest"], ["--until", "today"]] {
      let refused = try run(["logstore", "cat", "s", "--consumer", "mail"] + arguments)
      #expect(refused.ending == .exit(64))
    }
    #expect(try place.run("logstore", "cat", "s", "--consumer", "a/b").ending == .exit(64))
  }

  @Test("Two processes share the partitions, and one goes on alone when the other is killed")
  func shared() throws {
    try append(0..<30)
    let children = try (0..<2).map { _ in try place.start("logstore", "cat", "s", "--consumer", "mail", "--follow") }
    func owners() throws -> [Int] {
      try place.run("logstore", "consumers", "s", "--json").objects().compactMap { $0["owner"] as? Int }
    }
    try eventually { try Set(owners()).count == 2 && lag(place.run("consumers", "--dir", "s", "--json")) == 0 }
    for arguments in [["seek", "s", "mail", "--to", "0"], ["remove", "s", "mail"]] {
      #expect(try run(["logstore", "consumers"] + arguments).ending == .exit(75))
    }
    children[0].signal(SIGKILL)
    _ = try children[0].waitForEnd()
    try eventually { try owners() == Array(repeating: Int(children[1].process), count: 3) }
    let table = try place.run("logstore", "consumers", "s")
    #expect(table.lines.count == 5 && table.lines[4] == "mail: 1 member, lag 0")
    #expect(table.lines[0] == "partition  consumer  position  lag  owner")
    children[1].signal(SIGKILL)
    _ = try children[1].waitForEnd()
  }

  @Test("Without --follow, cat prints a partition that is just changing hands, and leaves what another process has")
  func changingHands() async throws {
    try append(0..<30)
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let store = try LogStore(directory: "\(place.path)/s", configuration: configuration)
    defer { store.close() }
    let all = try store.consumer("mail")
    let stream = MessageConsumerStream(try store.consumer("mail"))
    var printed: [Int] = []
    func printAll() async throws {
      while let message = try await stream.nextOnItsWay() {
        printed.append(try #require(Int(message.text)))
        try await stream.acknowledge(message)
        if printed.count == 1 { all.close() }
      }
    }
    try await printAll()
    #expect(printed.sorted() == Array(0..<30))
    stream.close()

    let other = try place.start("logstore", "cat", "s", "--consumer", "mail", "--follow")
    func hasAll() throws -> Bool {
      let objects = try place.run("logstore", "consumers", "s", "--json").objects()
      return objects.count { $0["owner"] as? Int == Int(other.process) } == 3
    }
    try eventually { try hasAll() }
    other.signal(SIGSTOP)
    try append(30..<60)
    #expect(numbers(try place.run("logstore", "cat", "s", "--consumer", "mail")) == [])
    other.signal(SIGKILL)
    _ = try other.waitForEnd()
    #expect(numbers(try place.run("logstore", "cat", "s", "--consumer", "mail")) == Array(30..<60))
  }

  @Test("Moved and removed, listed beside the logs of a directory")
  func movedAndRemoved() throws {
    try append(0..<30)
    #expect(try place.run("logstore", "consumers", "s").lines == ["no consumers"])
    #expect(try place.run("consumers", "--dir", "s").lines == ["no consumers"])
    #expect(try place.run("logstore", "consumers", "seek", "s", "mail", "--to", "latest").ending == .exit(0))
    #expect(try lag(place.run("logstore", "consumers", "s", "--json")) == 0)
    let seek = ["logstore", "consumers", "seek", "s", "mail", "--partition"]
    #expect(try run(seek + ["2", "--to", "beginning"]).ending == .exit(0))
    #expect(try run(seek + ["3", "--to", "beginning"]).ending == .exit(1))
    let objects = try place.run("consumers", "--dir", "s", "--json").objects()
    #expect(objects.map { $0["partition"] as? Int } == [0, 1, 2] && objects[2]["position"] as? Int == 0)
    #expect(objects[2]["name"] as? String == "mail" && objects[2]["owner"] is NSNull)
    try place.write([0], to: "s/1.bilog.consumers/mail.position")
    let damaged = try place.run("logstore", "consumers", "s")
    #expect(damaged.ending == .exit(65))
    #expect(damaged.errors.contains("immuta logstore consumers seek s mail --partition 1 --to N"))
    #expect(try run(seek + ["1", "--to", "0"]).ending == .exit(0))
    #expect(try place.run("logstore", "consumers", "remove", "s", "mail").ending == .exit(0))
    let again = try place.run("logstore", "consumers", "remove", "s", "mail")
    #expect(again.ending == .exit(1) && again.errors.contains("immuta logstore consumers s"))
  }

  @Test("--watch prints again and again, for programs an object a line")
  func watched() throws {
    try append(0..<30)
    #expect(try place.run("append", "e", input: "0\n").ending == .exit(0))
    #expect(try place.run("cat", "e", "--consumer", "mail").ending == .exit(0))
    #expect(try place.run("logstore", "consumers", "seek", "s", "mail", "--to", "0").ending == .exit(0))
    let logs = try place.start("consumers", "--watch")
    for _ in 0..<2 {
      #expect(try logs.line() == "namespace  consumer  position  lag  owner")
      #expect(try logs.line() == "e          mail             1    0  -")
      #expect(try logs.line() == "")
    }
    logs.signal(SIGINT)
    #expect(try logs.waitForEnd() != .exit(0))
    let store = try place.start("logstore", "consumers", "s", "--watch", "--json")
    for number in 0..<6 {
      #expect(try store.line()?.hasPrefix(#"{"schema":1,"partition":\#(number % 3),"name":"mail""#) == true)
    }
    store.signal(SIGINT)
    _ = try store.waitForEnd()
  }

  private func lag(_ outcome: Outcome) throws -> Int {
    try outcome.objects().reduce(0) { $0 + ($1["lag"] as? Int ?? 1_000_000) }
  }

  private func eventually(_ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try !condition(), .now < deadline { usleep(10_000) }
    #expect(try condition())
  }
}
