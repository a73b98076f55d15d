import Foundation
import Immuta
import ImmutaTestSupport

/// What the processes of a soak do: a writer of two namespaces that roll and drop their front, and followers.
enum Soaked {
  static let namespaces = ["one", "two"]

  /// A record says its own number, so that whoever reads it knows whether it is the right one.
  static func text(_ number: Int) -> String { "\(number) " + String(repeating: "x", count: 40 + number % 400) }

  static func write(_ directory: String) async throws {
    var configuration = Storage.Configuration()
    configuration.segments = SegmentLimits(maximumAge: .seconds(2))
    configuration.retention = Retention(maximumBytes: 8 << 20)
    let storage = try Storage(directory: directory, namespaces: namespaces, configuration: configuration)
    OtherProcess.say("open")
    try await withThrowingTaskGroup { group in
      for name in namespaces {
        let log = try storage.log(name)
        group.addTask {
          while true {
            for _ in 0..<20 {
              let number = log.count
              let receipt = try await log.append(text(number))
              guard receipt.sequence == number else { throw Finding("record \(number) became \(receipt.sequence)") }
            }
            try await Task.sleep(for: .milliseconds(20))
          }
        }
      }
      group.addTask {
        while true {
          try await Task.sleep(for: .seconds(1))
          OtherProcess.say(usage(0))
        }
      }
      try await group.next()
    }
  }

  static func follow(_ directory: String, _ namespace: String) async throws {
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let storage = try Storage(directory: directory, namespaces: [namespace], configuration: configuration)
    var stream = storage.stream(namespace)
    OtherProcess.say("open")
    var told = ContinuousClock.now
    while true {
      let place = stream.position
      if let record = try await stream.next(timeout: .seconds(1)) {
        guard place == 0 || record.sequence == place, record.text == text(record.sequence) else {
          OtherProcess.say("record \(record.sequence) came as record \(place): \(record.text.prefix(20))")
          return
        }
      }
      if ContinuousClock.now - told >= .seconds(1) {
        told = .now
        OtherProcess.say(usage(stream.position))
      }
    }
  }

  /// A number, and what this process has of descriptors, of threads, and of memory in KiB.
  private static func usage(_ number: Int) -> String {
    let count = { (path: String) in (try? FileManager.default.contentsOfDirectory(atPath: path))?.count ?? 0 }
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let memory = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }?
      .split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
    return "\(number) \(count("/proc/self/fd")) \(count("/proc/self/task")) \(memory ?? "0")"
  }
}
