#if canImport(Glibc)
  import Foundation
  import Glibc
  import Testing

  /// A file system that is full: a few megabytes in memory, mounted for the test, which only root may do.
  @Suite("A full disk")
  struct FullDiskTests {
    let place = Workplace()

    @Test(
      "What is said of it is true: how many records are there, each of which had its receipt",
      arguments: [
        ["append", "e", "--dir", "disk/logs"], ["logstore", "append", "disk/s", "--partitions", "1", "--key", "k"],
      ])
    func appending(command: [String]) throws {
      try FileManager.default.createDirectory(atPath: "\(place.path)/disk", withIntermediateDirectories: false)
      let disk = "\(place.path)/disk"
      guard mount("tmpfs", disk, "tmpfs", 0, "size=4m") == 0 else {
        print("SKIPPED: the full disk is not tested, since mounting a file system is not permitted here")
        return
      }
      let result = Result { try fill(command) }
      #expect(umount(disk) == 0)
      try result.get()
    }

    private func fill(_ command: [String]) throws {
      let line = String(repeating: "x", count: 9_999) + "\n"
      let outcome = try Child(command + ["--receipts"], in: place)
        .finish(feeding: Array(String(repeating: line, count: 1000).utf8))
      #expect(outcome.ending == .exit(1))
      #expect(outcome.lines.count > 100)
      #expect(!outcome.errors.contains("nothing was appended"))
      // As the last receipt says.
      let last = try #require(outcome.objects().last)
      let partition = (last["partition"] as? Int).map { " of partition \($0)" } ?? ""
      #expect(
        outcome.errors.contains(
          "; make room and try again; \(outcome.lines.count) records before it were appended: the last one, line "
            + "\(outcome.lines.count) of the input, is record \(outcome.lines.count - 1)\(partition); go on after that line\n"
        ))
      let reading = command[0] == "append" ? ["cat", "e", "--dir", "disk/logs"] : ["logstore", "cat", "disk/s"]
      #expect(try Child(reading, in: place).finish().lines.count == outcome.lines.count)
    }
  }
#endif
