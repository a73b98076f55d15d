#if os(Linux)
  import Foundation
  import Testing

  /// Peak memory is what the kernel says of the child: `VmHWM`, which only goes up.
  @Suite("Memory", .serialized)
  struct MemoryTests {
    static let bound = 32 << 20
    let place = Workplace()

    /// The peak of a child that has opened a log and waits.
    private func idle() throws -> Int {
      let child = try place.start("append", "idle", "--receipts")
      try child.send("x\n")
      _ = try child.line()
      return try #require(child.peakMemory)
    }

    @Test("A record of 256 MiB goes in, in bounded memory", arguments: ["newline", "none"])
    func appending(delimiter: String) throws {
      let idle = try idle()
      let child = try place.start("append", "e", "--receipts", "--delimiter", delimiter)
      let piece = [UInt8](repeating: 120, count: 1 << 20)
      for _ in 0..<256 { try child.send(piece) }
      child.closeInput()
      // Looked at until it is over, so that completing the record is seen, too.
      let peak = try peak(of: child)
      #expect(try child.finish().text == #"{"sequence":0,"index":16,"size":268435456}"# + "\n")
      #expect(peak > 0 && peak - idle < Self.bound, "\(peak) bytes, idle \(idle)")
    }

    /// A log of so many records of two bytes, as another program leaves it.
    private func makeLog(_ name: String, records: Int) throws {
      var bytes = Data(integer(records) + integer(16 + 10 * (records - 1)))
      let thousand = [[UInt8]](repeating: [2, 0, 0, 0, 0, 0, 0, 0, 120, 121], count: 1_000).flatMap(\.self)
      for _ in 0..<records / 1_000 { bytes.append(contentsOf: thousand) }
      try bytes.write(to: URL(filePath: "\(place.path)/logs/\(name).log"))
    }

    private func integer(_ value: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }

    /// The peak of a child that ends by itself. It is looked at often, and has the processor in between.
    private func peak(of child: Child) throws -> Int {
      var peak = 0
      while try !child.isOver {
        peak = max(peak, child.peakMemory ?? 0)
        usleep(500)
      }
      return peak
    }

    private func peak(_ arguments: [String]) throws -> Int {
      let child = try Child(arguments, in: place)
      child.closeInput()
      let peak = try peak(of: child)
      #expect(try child.finish().errors == "")
      return peak
    }

    /// What it takes besides, its marks, is 4 MiB at most; entries of all records would be 36 MB.
    @Test("A log without companion takes no memory for each of its records")
    func withoutCompanion() throws {
      let count = 1_500_000
      try FileManager.default.createDirectory(atPath: "\(place.path)/logs", withIntermediateDirectories: true)
      try makeLog("small", records: 100_000)
      try makeLog("large", records: count)
      for command in ["info", "cat", "repair", "append"] {
        let small = try peak([command, "small"] + (command == "cat" ? ["--from", "99999"] : []))
        let large = try peak([command, "large"] + (command == "cat" ? ["--from", "\(count - 1)"] : []))
        #expect(small > 0 && large - small < 6 << 20, "\(command): \(large - small) bytes for \(count) records")
      }
    }

    @Test("Salvaging a log takes no memory for each of its records, and copies all of them")
    func salvaging() throws {
      let count = 1_500_000
      try FileManager.default.createDirectory(atPath: "\(place.path)/logs", withIntermediateDirectories: true)
      try makeLog("small", records: 100_000)
      try makeLog("large", records: count)
      let small = try peak(["repair", "small", "--salvage", "small2"])
      let large = try peak(["repair", "large", "--salvage", "large2"])
      // Of what is mapped, some pages stay.
      #expect(small > 0 && large - small < 8 * count, "\(large - small) bytes for \(count) records")
      #expect(large - small < 64 << 20)
      let original = try Data(contentsOf: URL(filePath: "\(place.path)/logs/large.log"))
      #expect(try Data(contentsOf: URL(filePath: "\(place.path)/logs/large2.log")) == original)
      #expect(try place.run("verify", "large2").ending == .exit(0))
    }

    @Test(
      "A large record goes out, in bounded memory",
      arguments: [("raw", 256 << 20, 0), ("text", 256 << 20, 1), ("json", 64 << 20, 80)])
    func printing(format: String, size: Int, more: Int) throws {
      let idle = try idle()
      let writer = try place.start("append", "e", "--delimiter", "none")
      let piece = [UInt8](repeating: 120, count: 1 << 20)
      for _ in 0..<size >> 20 { try writer.send(piece) }
      #expect(try writer.finish().ending == .exit(0))

      let child = try place.start("cat", "e", "--format", format)
      // It cannot end before its last bytes are taken, which are more than a pipe holds.
      try child.skip(size - (1 << 20))
      let peak = try #require(child.peakMemory)
      #expect(peak - idle < Self.bound, "\(peak) bytes, idle \(idle)")
      let rest = try child.finish()
      #expect(rest.ending == .exit(0))
      #expect(rest.output.count >= 1 << 20 && rest.output.count <= (1 << 20) + more + 40)
    }

    @Test("A record of 128 MiB goes in and out through compression and encryption, in bounded memory")
    func transforming() throws {
      let idle = try idle()
      let key = "\(place.path)/key"
      try place.write([UInt8](repeating: 9, count: 32), to: "key")
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
      let options = ["e", "--codec", "deflate:1", "--key-file", "key"]
      let writer = try Child(["append", "--delimiter", "none"] + options, in: place)
      // Twice what it may take.
      let size = 4 * Self.bound
      // Not to be compressed to nothing: half of it is random.
      var generator = SystemRandomNumberGenerator()
      let piece = (0..<1 << 20).map { $0 % 2 == 0 ? UInt8.random(in: 0...255, using: &generator) : 120 }
      for _ in 0..<size >> 20 { try writer.send(piece) }
      writer.closeInput()
      let peak = try peak(of: writer)
      #expect(try writer.finish().ending == .exit(0))
      #expect(peak > 0 && peak - idle < 2 * Self.bound, "\(peak) bytes, idle \(idle)")

      let reader = try Child(["cat", "--format", "raw"] + options, in: place)
      try reader.skip(size - (1 << 20))
      let readerPeak = try #require(reader.peakMemory)
      #expect(readerPeak - idle < 2 * Self.bound, "\(readerPeak) bytes, idle \(idle)")
      let rest = try reader.finish()
      #expect(rest.ending == .exit(0) && rest.output == piece)
    }
  }
#endif
