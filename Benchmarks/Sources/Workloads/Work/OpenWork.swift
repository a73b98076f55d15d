import Floors
import Foundation
import Immuta

/// Opening and closing a log that was closed cleanly.
enum OpenWork {
  static let bar = Bar.atMost(5_000_000)
  private static let times = 20

  /// Of a log that is there already, and shut.
  static func workload(_ records: Int, in directory: String, sqlite: String?) -> Workload {
    Workload(
      "open and close a clean log of \(records.formatted(.number)) records", .open, unit: .time(per: "open"), bar: bar
    ) {
      _, _ in
      let log = "\(directory)/\(ImmutaLog.namespace)"
      let contenders = [
        Contender("Immuta", .ours) { _ in
          try nanoseconds { for _ in 0..<times { _ = try ImmutaLog(directory).log.count } } / Double(times)
        },
        Contender("floor", .floor) { _ in
          try BenchError.check(floor_open("\(log).log", "\(log).idx", Int64(times))) / Double(times)
        },
      ]
      guard let sqlite else { return contenders }
      return contenders + [
        Contender("GRDB", .other) { _ in
          try nanoseconds {
            for _ in 0..<times {
              let log = try SQLiteLog(sqlite)
              _ = try log.count()
              try log.close()
            }
          } / Double(times)
        }
      ]
    }
  }
}
