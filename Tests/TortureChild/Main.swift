import Immuta
import ImmutaLibC
import ImmutaTestSupport

/// The other process of the torture tests.
///
/// ```
/// TortureChild append|boast DIRECTORY DURABILITY SEED STEP FORMAT   appends the script's steps from STEP on, until
/// killed TortureChild hold DIRECTORY                                      opens for writing until its input ends
/// TortureChild follow DIRECTORY SEED STEPS FORMAT                  reads the script's first STEPS steps as they come
/// TortureChild listen DIRECTORY FORMAT COUNT HOW                     follows so many logs, and answers its input
/// TortureChild change WHAT DIRECTORY        goes on with an open log after its process has changed, and says how
/// ```
///
/// `listen` prints the number of each record whose text is `last`. HOW is `told`, or `looking`: as on a system where nothing
/// tells. Asked for `asleep`, it says so once nothing looks any more; asked for `counts`, it says what following has cost.
///
/// `append` prints a step's number when its records are appended; `boast` before, which no log could keep.
@main struct TortureChild {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count > 2 else { fatalError("arguments are missing: see the top of this program") }
    switch arguments[1] {
    case "append", "boast":
      try await append(
        arguments[2], arguments[3], arguments[4], arguments[5], format(arguments[6]), arguments[1] == "boast")
    case "hold": hold(arguments[2])
    case "change": await change(arguments[2], arguments[3])
    case "listen": try await Listener.listen(arguments[2], format(arguments[3]), number(arguments[4]), arguments[5])
    case "follow": try await follow(arguments[2], arguments[3], arguments[4], format(arguments[5]))
    default: fatalError("unknown command \(arguments[1])")
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

  private static func format(_ text: String) -> LogFormat {
    guard let format = LogFormat(rawValue: number(text)) else { fatalError("\(text) is no format") }
    return format
  }

  private static func append(
    _ directory: String, _ durability: String, _ seed: String, _ step: String, _ format: LogFormat, _ isBoasting: Bool
  ) async throws {
    let durability: Durability =
      switch durability {
      case "synced": .synced
      case "interval": .interval(.milliseconds(5))
      default: .buffered
      }
    let script = AppendScript(seed: number(seed))
    var configuration = Storage.Configuration(durability: durability)
    configuration.format = format
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
