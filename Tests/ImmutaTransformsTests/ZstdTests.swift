#if Zstd
  import Immuta
  import ImmutaTestSupport
  import ImmutaTransforms
  import Testing

  /// Dictionaries: what makes small records small.
  @Suite("Zstandard dictionaries")
  struct ZstdTests {
    let bench: Workbench

    init() throws {
      bench = try Workbench()
    }

    @Test(
      "Too few bytes to train on are an error, however few",
      arguments: [1, 2, 5, 8, 10, 13, 20, 60, 200], [1, 2, 7, 8, 9, 16])
    func hardlyAnything(count: Int, size: Int) throws {
      let samples = (0..<count).map { number in [UInt8](repeating: UInt8(number), count: size) }
      // A dictionary may come of it, or an error: but no signal.
      do {
        _ = try ZstdDictionary(trainedOn: samples, size: 64 << 10)
      } catch { #expect("\(error)".contains("give more of them"), "\(error)") }
    }

    @Test("A dictionary trained on a log's own records makes them less than half as large as they are without")
    func training() async throws {
      let payloads = (0..<2000).map(Payloads.json)
      try bench.write(payloads, .zstd())
      let (storage, log) = try bench.open(.zstd())
      let dictionary = try ZstdDictionary(trainedOn: log, size: 8 << 10)
      storage.close()
      let other = try Workbench()
      try other.write(payloads, .zstd(dictionary: dictionary))
      let (without, with) = try (bench.stored().joined().count, other.stored().joined().count)
      #expect(with * 2 < without, "\(without) bytes without, \(with) with")
      let (again, read) = try other.open(.zstd(dictionary: try ZstdDictionary(dictionary.bytes)))
      defer { again.close() }
      for record in try read.records(in: 0..<100) { #expect(record.payload.elementsEqual(payloads[record.sequence])) }
    }

    @Test("A log may get a dictionary, and then another; each record is read with its own, or says which it needs")
    func rotation() async throws {
      let first = try ZstdDictionary(trainedOn: (0..<2000).map(Payloads.json), size: 4 << 10)
      let second = try ZstdDictionary(trainedOn: (5000..<7500).map(Payloads.json), size: 4 << 10)
      try #require(first.id != second.id)
      try bench.write([Payloads.json(0)], .zstd())
      try bench.write([Payloads.json(1)], .zstd(dictionary: first))
      try bench.write([Payloads.json(2)], .zstd(dictionary: second, older: [first]))
      let (storage, log) = try bench.open(.zstd(dictionary: second, older: [first]))
      for record in try log.records(in: 0..<3) { #expect(record.payload.elementsEqual(Payloads.json(record.sequence))) }
      storage.close()
      let (partly, lacking) = try bench.open(.zstd(dictionary: second))
      defer { partly.close() }
      #expect(try await lacking.record(at: 0).payload.elementsEqual(Payloads.json(0)))
      #expect(try await lacking.record(at: 2).payload.elementsEqual(Payloads.json(2)))
      let error = await #expect(throws: ImmutaError.self) { try await lacking.record(at: 1) }
      #expect(error?.description.contains("dictionary \(first.id)") == true)
    }

    @Test("Samples come from all of a log, however large its records are")
    func samples() throws {
      try bench.write((0..<1000).map { number in [UInt8](repeating: UInt8(number / 4), count: 3000) }, .zstd())
      let (storage, log) = try bench.open(.zstd())
      defer { storage.close() }
      let few = try ZstdDictionary.samples(of: log, records: 100, atMost: 10_000)
      let beginnings: [[UInt8]] = (0..<100).map { number in [UInt8](repeating: UInt8(number * 10 / 4), count: 100) }
      #expect(few == beginnings)
      let all = try ZstdDictionary.samples(of: log, records: .max, atMost: .max)
      #expect(all.count == 1000 && all.allSatisfy { $0.count == 3000 })
    }

    @Test("What is no dictionary, and too little to learn from, is an error")
    func nothingToLearn() throws {
      #expect(throws: TransformError.self) { try ZstdDictionary([1, 2, 3]) }
      #expect(throws: TransformError.self) { try ZstdDictionary(trainedOn: [[UInt8]]()) }
      #expect(throws: TransformError.self) { try ZstdDictionary(trainedOn: [[1, 2, 3]] as [[UInt8]]) }
    }
  }
#endif
