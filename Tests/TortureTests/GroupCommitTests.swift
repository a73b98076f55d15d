import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Those who wait for the device together share its flushes.
@Suite(.timeLimit(.minutes(2))) struct GroupCommitTests {
  /// A device whose flush takes two milliseconds at least, however fast this machine's is; counts the log's flushes.
  private final class SlowDevice: SystemCallHook {
    private let path: String
    private let flushes = Atomic(0)

    init(path: String) {
      self.path = path
    }

    var count: Int { flushes.load(ordering: .relaxed) }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      guard call == .flush, path == self.path else { return .proceed }
      flushes.add(1, ordering: .relaxed)
      Foundation.Thread.sleep(forTimeInterval: 0.002)
      return .proceed
    }

    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test(arguments: LogFormat.allCases) func sixteenTasksShareFlushes(_ format: LogFormat) async throws {
    let alone = try await measure(tasks: 1, appends: 100, format, isSlow: true)
    let together = try await measure(tasks: 16, appends: 100, format, isSlow: true)
    #expect(alone.flushes >= 100, "one task alone needs a flush per append")
    #expect(together.flushes <= 1600 / 8 + 20, "1600 appends of sixteen tasks took \(together.flushes) flushes")
    report("\(format) on a device of 2 ms", alone, together)
    report(
      "\(format) on this device", try await measure(tasks: 1, appends: 200, format),
      try await measure(tasks: 16, appends: 200, format))
  }

  private struct Measurement {
    var appends: Int
    var flushes: Int
    var rate: Double
  }

  private func report(_ device: String, _ alone: Measurement, _ together: Measurement) {
    print(
      """
      group commit of \(device): one task \(Int(alone.rate)) appends/s, \(alone.flushes) flushes for \(alone.appends); \
      sixteen \(Int(together.rate)) appends/s, \(together.flushes) flushes for \(together.appends); \
      ratio of rates \((together.rate / alone.rate * 10).rounded() / 10)
      """)
  }

  private func measure(
    tasks: Int, appends: Int, _ format: LogFormat, isSlow: Bool = false
  ) async throws -> Measurement {
    let directory = TemporaryDirectory(inMemory: isSlow)
    let path = format.testFiles(of: "events", in: directory.path).log
    let storage = try Storage(
      directory: directory.path, namespaces: ["events"], configuration: TestedDurability.synced.configuration(format))
    defer { storage.close() }
    let log = try storage.log("events")
    try await log.append("the first append flushes the directory, too")
    let device = SlowDevice(path: path)
    let counter = FaultInjector(directory: directory.path, where: { $0 == path })
    let start = ContinuousClock.now
    func append() async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<tasks {
          group.addTask { for number in 0..<appends { try await log.append("task \(task), record \(number)") } }
        }
        try await group.waitForAll()
      }
    }
    if isSlow { try await SystemCalls.withHook(device, append) } else { try await counter.run(append) }
    let time = ContinuousClock.now - start
    #expect(log.count == tasks * appends + 1)
    return Measurement(
      appends: tasks * appends, flushes: isSlow ? device.count : counter.counts[.flush, default: 0],
      rate: Double(tasks * appends) / (time / .seconds(1)))
  }
}
