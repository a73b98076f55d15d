import Foundation
import Immuta
import ImmutaLibC
import ImmutaTestSupport
import Testing

/// The other process of the torture tests: this same program, run once more for this one test. So the package has no
/// program but the tool, which is what `swift run` runs.
///
/// ```
/// append|boast DIRECTORY DURABILITY SEED STEP FORMAT BYTES KEPT   appends the script's steps from STEP on, until killed
/// hold DIRECTORY                                       opens for writing until its input ends
/// follow DIRECTORY SEED STEPS FORMAT                   reads the script's first STEPS steps as they come
/// listen DIRECTORY FORMAT COUNT HOW                    follows so many logs, and answers its input
/// soak-write DIRECTORY                                 appends to two logs that roll, until killed
/// soak-follow DIRECTORY NAMESPACE                      follows one of them, until killed
/// project DIRECTORY SEED                               appends, and keeps what the records come to, until killed
/// consume DIRECTORY SEED DURABILITY HOW                consumes what it appends, or what another process does, until killed
/// keys DIRECTORY SEED                                  appends by keys to a log that rolls and drops its front, until killed
/// steps DIRECTORY SEED                                 makes steps over several logs, and of a consumer, until killed
/// work DIRECTORY SEED                                  appends jobs and works on them, until killed
/// member DIRECTORY SEED                                is a member of a group, until killed or its input ends
/// threadless WHAT DIRECTORY                            goes on while the system gives no thread, and says how
/// change WHAT DIRECTORY        goes on with an open log after its process has changed, and says how
/// ```
///
/// `listen` prints the number of each record whose text is `last`. HOW is `told`, or `looking`: as on a system where nothing
/// tells. Asked for `asleep`, it says so once nothing looks any more; asked for `counts`, it says what following has cost.
///
/// Where BYTES is not 0, `append` begins a segment after so many bytes, and now and then by hand; where KEPT is not 0, it keeps
/// so many records.
///
/// `append` prints a step's number when its records are appended; `boast` before, which no log could keep.
@Suite struct OtherProcess {
  /// What the other process is to do, a word a line. Only it has this variable.
  private static let variable = "IMMUTA_OTHER_PROCESS"

  /// Starts it.
  static func start(_ words: String...) throws -> ChildProcess {
    guard let program = Bundle.main.executableURL?.path else { throw Finding("this program has no path") }
    var arguments = [
      "--testing-library", "swift-testing", "--no-parallel", "--quiet", "--filter", "TortureTests.OtherProcess/",
    ]
    // Where tests are a bundle that another program loads.
    if let place = CommandLine.arguments.firstIndex(of: "--test-bundle-path") {
      arguments += CommandLine.arguments[place...].prefix(2)
    }
    // What is printed of tests that begin is nothing to see: the shell keeps the errors' place for later.
    return try ChildProcess(
      "/bin/sh", ["-c", #"exec "$0" "$@" \#(errors)>&2 2>/dev/null"#, program] + arguments,
      environment: [variable: words.joined(separator: "\n")])
  }

  /// Where the other process finds this one's standard error.
  private static let errors: Int32 = 3

  // On the main thread, which may block: what waits for records needs the others.
  @Test @MainActor func thisProgramIsTheOtherOneToo() async throws {
    if let words = ProcessInfo.processInfo.environment[Self.variable] {
      dup2(Self.errors, 2)
      close(Self.errors)
      try await Self.be(words.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
      exit(0)
    }
    let child = try Self.start("greet")
    #expect(child.readLines(within: .seconds(30)) == ["hello"])
    #expect(child.wait() == 0)
  }

  private static func be(_ words: [String]) async throws {
    switch words[0] {
    case "append", "boast":
      var configuration = Storage.Configuration()
      configuration.format = format(words[5])
      configuration.segments.maximumBytes = limit(words[6])
      configuration.retention.maximumRecords = limit(words[7])
      try await append(words[1], words[2], words[3], words[4], configuration, words[0] == "boast")
    case "hold": hold(words[1])
    case "change": await change(words[1], words[2])
    case "listen": try await Listener.listen(words[1], format(words[2]), number(words[3]), words[4])
    case "follow": try await follow(words[1], words[2], words[3], format(words[4]))
    case "steps": try await Steps.run(words[1], number(words[2]))
    case "project": try await Projected.append(words[1], number(words[2]))
    case "soak-write": try await Soaked.write(words[1])
    case "soak-follow": try await Soaked.follow(words[1], words[2])
    case "consume":
      try await ConsumingProcess.run(words[1], number(words[2]), durability(words[3]), appends: words[4] == "append")
    case "keys": try await KeyedWriter.append(words[1], number(words[2]))
    case "work": try await Worker.work(words[1], number(words[2]))
    case "member": try await GroupMember.work(words[1], number(words[2]))
    case "threadless": try await Threadless.run(words[1], words[2])
    case "greet": say("hello")
    default: fatalError("unknown command \(words[0])")
    }
  }

  /// One write, so that a line is printed whole or, if the process dies first, not at all.
  static func say(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = write(1, bytes, bytes.count)
  }

  private static func number<T: FixedWidthInteger>(_ text: String) -> T {
    guard let number = T(text) else { fatalError("\(text) is not a number") }
    return number
  }

  private static func durability(_ text: String) -> Durability {
    TestedDurability(rawValue: text)?.durability ?? .buffered
  }

  private static func limit(_ text: String) -> Int? { number(text) == 0 ? nil : number(text) }

  private static func format(_ text: String) -> LogFormat {
    guard let format = LogFormat(rawValue: number(text)) else { fatalError("\(text) is no format") }
    return format
  }

  private static func append(
    _ directory: String, _ durability: String, _ seed: String, _ step: String, _ configuration: Storage.Configuration,
    _ isBoasting: Bool
  ) async throws {
    var configuration = configuration
    configuration.durability = Self.durability(durability)
    let script = AppendScript(seed: number(seed))
    let storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
    let log = try storage.log("events")
    say("open \(log.count)")
    var step: Int = number(step)
    while true {
      let contents = script.step(step)
      if isBoasting { say("\(step) \(log.count)") }
      let first = log.count
      if contents.count == 1 {
        try await log.append(contents[0].bytes)
      } else {
        try await log.transaction { transaction in
          for content in contents { try await transaction.append(content.bytes) }
        }
      }
      if !isBoasting { say("\(step) \(first)") }
      if step % 5 == 0, configuration.segments.maximumBytes != nil { try await log.roll() }
      step += 1
    }
  }

  private static func hold(_ directory: String) {
    do {
      let storage = try Storage(directory: directory, namespaces: ["events"])
      say("open")
      while readLine() != nil {}
      storage.close()
      say("closed")
    } catch ImmutaError.locked {
      say("locked")
    } catch {
      say("\(error)")
    }
  }

  private static func change(_ what: String, _ directory: String) async {
    do {
      // As servers do it: a path from where they were started.
      guard chdir(directory) == 0 else { return say("chdir: \(errno)") }
      let storage = try Storage(directory: "logs", namespaces: ["events", "later"])
      let log = try storage.log("events")
      try await log.append("before")
      try await log.sync()
      var configuration = Storage.Configuration()
      configuration.access = .readOnly
      let reading = try Storage(directory: "logs", namespaces: ["events"], configuration: configuration)
      switch what {
      case "directory": guard chdir("/") == 0 else { return say("chdir: \(errno)") }
      case "user": guard setgid(65_534) == 0, setuid(65_534) == 0 else { return say("setuid: \(errno)") }
      case "root": guard chroot("/dev") == 0, chdir("/") == 0 else { return say("chroot: \(errno)") }
      case "descriptors":
        var limit = rlimit()
        #if canImport(Glibc)
          let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
          let resource = RLIMIT_NOFILE
        #endif
        getrlimit(resource, &limit)
        limit.rlim_cur = 0
        guard setrlimit(resource, &limit) == 0 else { return say("setrlimit: \(errno)") }
      default: fatalError("unknown change \(what)")
      }
      for place in ["events", "later"] {
        // What was opened and never appended to is prepared now.
        try await storage.append("after", to: place)
        try await storage.log(place).sync()
        let count = try storage.log(place).count
        for number in 0..<count { _ = try await storage.log(place).record(at: number) }
        guard try storage.details(of: place).stableCount == count else { return say("not stable: \(place)") }
      }
      for visibility in [StreamVisibility.committed, .durable] {
        for open in [storage, reading] {
          var stream = open.stream("events", only: visibility)
          guard try await stream.next(timeout: .seconds(20))?.text == "before",
            try await stream.next(timeout: .seconds(20))?.text == "after"
          else { return say("a stream lacks records") }
        }
      }
      guard try reading.details(of: "events").count == 2 else { return say("the reader lacks records") }
      reading.close()
      try storage.closeReporting()
      say("done")
    } catch {
      say("\(error)")
    }
  }

  private static func follow(
    _ directory: String, _ seed: String, _ steps: String, _ format: LogFormat
  ) async throws {
    var configuration = Storage.Configuration()
    configuration.format = format
    configuration.access = .readOnly
    let storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
    let script = AppendScript(seed: number(seed))
    var stream = storage.stream("events")
    say("open")
    for step in 0..<number(steps) {
      for content in script.step(step) {
        let place = stream.position
        guard let record = try await stream.next(timeout: .seconds(20)) else {
          return say("record \(place) does not come")
        }
        guard record.sequence == place, content.matches(record.payload) else {
          return say("record \(place) is not \(content)")
        }
      }
    }
    say("done \(stream.position)")
    storage.close()
  }
}
