import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Logs that roll and drop their front for as long as one waits, a writer that is killed again and again, and followers in
/// other processes: nothing is skipped or comes twice, and nothing grows.
///
/// Half a minute, and two where many rounds are asked for; `IMMUTA_SOAK_MINUTES` says another number.
@Suite(.serialized, .timeLimit(.minutes(60))) struct SoakTests {
  /// What a process has, as it told once a second.
  private struct Usage {
    var number: Int
    var descriptors: Int
    var threads: Int
    var memory: Int

    init?(_ line: String) {
      let numbers = line.split(separator: " ").compactMap { Int($0) }
      guard numbers.count == 4 else { return nil }
      (number, descriptors, threads, memory) = (numbers[0], numbers[1], numbers[2], numbers[3])
    }
  }

  private final class Follower {
    let process: ChildProcess
    let namespace: String
    var usages: [Usage] = []

    init(_ directory: TemporaryDirectory, _ namespace: String) throws {
      self.namespace = namespace
      process = try OtherProcess.start("soak-follow", directory.path, namespace)
    }

    /// Takes what it said since.
    func listen(within patience: Duration) throws {
      while let line = process.readLine(within: patience) {
        guard let usage = Usage(line) else {
          if line == "open" { continue }
          throw Finding("a follower of “\(namespace)”: \(line)")
        }
        usages.append(usage)
      }
    }
  }

  @Test func nothingIsLostAndNothingGrows() throws {
    let minutes =
      ProcessInfo.processInfo.environment["IMMUTA_SOAK_MINUTES"].flatMap { Double($0) }
      ?? (Rounds.areMany ? 2 : 0.5)
    let directory = TemporaryDirectory()
    var writer = try OtherProcess.start("soak-write", directory.path)
    #expect(writer.readLine(within: .seconds(60)) == "open")
    let followers = try (Soaked.namespaces + Soaked.namespaces).map { try Follower(directory, $0) }
    var generator = SystemRandomNumberGenerator()
    var (kills, disk): (Int, [Int]) = (0, [])
    let end = ContinuousClock.now + .seconds(minutes * 60)
    while ContinuousClock.now < end {
      let life = Double.random(in: 2...5, using: &generator)
      let killed = ContinuousClock.now + .seconds(life)
      while ContinuousClock.now < killed {
        for follower in followers { try follower.listen(within: .milliseconds(20)) }
        disk.append(try size(of: directory.path))
      }
      writer.kill()
      #expect(writer.wait() == nil, "it was killed")
      kills += 1
      writer = try OtherProcess.start("soak-write", directory.path)
      guard writer.readLine(within: .seconds(60)) == "open" else {
        throw Finding("the writer does not open its logs again")
      }
    }
    writer.kill()
    writer.wait()
    // What was committed comes, to the last record.
    for follower in followers {
      var configuration = Storage.Configuration()
      configuration.access = .readOnly
      let storage = try Storage(
        directory: directory.path, namespaces: [follower.namespace], configuration: configuration)
      let count = try storage.log(follower.namespace).count
      storage.close()
      for _ in 0..<60 where follower.usages.last?.number != count { try follower.listen(within: .seconds(1)) }
      #expect(follower.usages.last?.number == count, "of “\(follower.namespace)”")
      try check(follower)
    }
    let most = disk.max() ?? 0
    // Two logs of 8 MiB, the segment that is appended to, space reserved ahead, and companions.
    #expect(most < 64 << 20, "\(most) bytes on disk")
    printTable(minutes, kills, followers, disk)
  }

  /// What it came to, as Promises.md has it: the most that was seen in the first third, after the beginning, and in the last.
  private func printTable(_ minutes: Double, _ kills: Int, _ followers: [Follower], _ disk: [Int]) {
    func thirds(_ values: [Int]) -> (Int, Int) {
      (values[..<(values.count / 3 + 1)].max() ?? 0, values[(values.count * 2 / 3)...].max() ?? 0)
    }
    func most(_ value: (Usage) -> Int) -> (Int, Int) {
      let each = followers.map { thirds($0.usages.dropFirst(5).map(value)) }
      return (each.map(\.0).max() ?? 0, each.map(\.1).max() ?? 0)
    }
    let numbers = Set(followers.map { $0.usages.last?.number ?? 0 }).sorted()
    let records = numbers.map(String.init).joined(separator: " and ")
    let (descriptors, threads, memory) = (most(\.descriptors), most(\.threads), most(\.memory))
    let space = thirds(disk)
    print(
      """
      soak: \(minutes.formatted()) minutes, the writer killed \(kills) times, \(followers.count) followers, \(records) records

      | most of | first third | last third |
      | --- | ---: | ---: |
      | records that were skipped, or came twice | 0 | 0 |
      | descriptors of a follower | \(descriptors.0) | \(descriptors.1) |
      | threads of a follower | \(threads.0) | \(threads.1) |
      | memory of a follower, MiB | \(memory.0 >> 10) | \(memory.1 >> 10) |
      | disk, both logs, MiB | \(space.0 >> 20) | \(space.1 >> 20) |
      """)
  }

  /// That a follower has no more at the end than it had soon after its beginning.
  private func check(_ follower: Follower) throws {
    let usages = follower.usages
    guard usages.count >= 20 else { throw Finding("a follower said little: \(usages.count) lines") }
    let early = usages[5..<usages.count / 3 + 6]
    let late = usages[(usages.count * 2 / 3)...]
    func most(_ usages: ArraySlice<Usage>, _ value: (Usage) -> Int) -> Int { usages.map(value).max() ?? 0 }
    #expect(most(late, \.descriptors) <= most(early, \.descriptors) + 8)
    #expect(most(late, \.threads) <= most(early, \.threads) + 2)
    #expect(most(late, \.memory) <= most(early, \.memory) + (8 << 10))
  }

  /// Bytes of the files in a directory and its folders, by their blocks.
  private func size(of directory: String) throws -> Int {
    var total = 0
    for case let name as String in FileManager.default.enumerator(atPath: directory) ?? .init() {
      var status = stat()
      // One that was removed since has none.
      if stat("\(directory)/\(name)", &status) == 0 { total += Int(status.st_blocks) * 512 }
    }
    return total
  }
}
