import ArgumentParser
import Immuta
import LogStore

/// `immuta logstore verify`: reads and checks every message.
struct LogStoreVerify: ToolCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every message of a store.",
    discussion: """
      Reads each partition from its first message to its last, and compares every byte with the checksum taken when it was \
      appended. Changes nothing, and works while another process appends.

      In a script:
        immuta logstore verify chat || echo "restore the backup"

      For programs, an object a line:
        immuta logstore verify chat --json

      The first damaged message of each partition is named by its number and its place in the file. The exit status is \
      then 65.
      """)

  @OptionGroup var location: StoreLocation

  @Flag(help: "Print an object a line.")
  var json = false

  @MainActor func execute() async throws {
    let store = try location.openForReading()
    defer { store.close() }
    let output = Output()
    var status = ExitStatus.success
    for number in 0..<store.partitionCount {
      let start = ContinuousClock.now
      let outcome: Result<VerificationReport, any Error>
      do {
        outcome = .success(try await verify(number, of: store))
      } catch {
        outcome = .failure(error)
      }
      let verdict = Verdict(namespace: "\(number)", outcome: outcome, time: start.duration(to: .now))
      try verdict.print(to: output, asJSON: json, as: "partition")
      if case .failure(let error) = outcome {
        let failure = Failure(error)
        failure.report()
        status = status.joined(failure.status)
      }
    }
    if status != .success { throw AlreadyReported(status: status) }
  }

  @MainActor private func verify(_ number: Int, of store: LogStore) async throws -> VerificationReport {
    let progress = Progress("verifying partition \(number)")
    defer { progress.finish() }
    return try await store.partition(number).log.verify { done, count in progress.update(done, of: count) }
  }
}
