/// One thing that a random program does to a log.
public enum Operation: Sendable, CustomStringConvertible {
  /// Appends one record.
  case append(Content)
  /// The same through the call that blocks its thread.
  case appendBlocking(Content)
  /// Appends one record in chunks of these sizes; the source throws before the chunk of number `failsAt`.
  case appendChunks(Content, sizes: [Int], failsAt: Int?)
  /// Appends these from as many tasks at once.
  case appendTogether([Content])
  /// Appends these in one transaction, and ends it so.
  case transaction([Content], Ending)
  /// Puts everything on stable storage.
  case sync
  /// Lets the log's files go, as when too many are open; the next operation opens them again.
  case rest
  /// Reads up to so many records from the stream of this number.
  case read(stream: Int, count: Int)
  /// Moves the stream of this number to a place between the beginning (0) and the end (1) of the log.
  case move(stream: Int, to: Double)
  /// Reads the record at a place between the beginning (0) and the end (1) of the log.
  case recordAt(Double)
  /// Reads a range between two places.
  case range(Double, Double)
  /// Begins the next segment; through the call that blocks its thread, or not.
  case roll(isBlocking: Bool)
  /// Removes the records before a place, whole segments.
  case remove(before: Double)
  /// Checks every record.
  case verify
  /// Closes the storage and opens it again.
  case reopen

  /// How a transaction ends.
  public enum Ending: Sendable, CaseIterable {
    /// By returning.
    case commits
    /// By an error.
    case throwing
    /// By `rollBack()`.
    case rollsBack
    /// By letting go of it.
    case drops
  }

  /// In words.
  public var description: String {
    switch self {
    case .append(let content): "append \(content)"
    case .appendBlocking(let content): "append, blocking, \(content)"
    case .appendChunks(let content, let sizes, let failsAt):
      "append \(content) in chunks of \(sizes)" + (failsAt.map { ", failing at chunk \($0)" } ?? "")
    case .appendTogether(let contents): "append together \(contents)"
    case .transaction(let contents, let ending): "transaction of \(contents), \(ending)"
    case .sync: "sync"
    case .rest: "rest"
    case .read(let stream, let count): "read \(count) records of stream \(stream)"
    case .move(let stream, let place): "move stream \(stream) to \(place)"
    case .recordAt(let place): "record at \(place)"
    case .range(let from, let to): "records from \(from) to \(to)"
    case .roll(let isBlocking): isBlocking ? "roll, blocking" : "roll"
    case .remove(let place): "remove the records before \(place)"
    case .verify: "verify"
    case .reopen: "reopen"
    }
  }
}

/// Operations drawn from a seed, without end.
public struct RandomProgram: Sequence, IteratorProtocol, Sendable {
  private var generator: SeededGenerator
  private let largest: Int
  private let reopens: Bool
  private let rolls: Bool

  /// Streams that programs read from are numbered from 0 up to this, exclusive.
  public static var streams: Int { 4 }

  /// The program of a seed.
  ///
  /// - Parameters:
  ///   - largest: the size of the largest, rare records, at most `Content.largest`.
  ///   - reopens: whether it closes and reopens the storage now and then.
  ///   - rolls: whether it begins segments, and removes the oldest.
  public init(seed: UInt64, largest: Int = 2 << 20, reopens: Bool = true, rolls: Bool = false) {
    generator = SeededGenerator(seed: seed)
    self.largest = largest
    self.reopens = reopens
    self.rolls = rolls
  }

  /// The next operation; never nil.
  public mutating func next() -> Operation? {
    if rolls, generator.oneIn(8) {
      return generator.oneIn(3) ? .remove(before: place()) : .roll(isBlocking: generator.oneIn(3))
    }
    switch Int.random(in: 0..<100, using: &generator) {
    case 0..<30: return .append(content())
    case 30..<34: return .appendBlocking(content())
    case 34..<44: return chunks()
    case 44..<52: return .appendTogether(contents(2...6))
    case 52..<66:
      let ending = Int.random(in: 0..<2, using: &generator) == 0 ? .commits : Self.ending(&generator)
      return .transaction(contents(0...12), ending)
    case 66..<69: return .sync
    case 69..<71: return .rest
    case 71..<83: return .read(stream: stream(), count: Int.random(in: 1...30, using: &generator))
    case 83..<87: return .move(stream: stream(), to: place())
    case 87..<91: return .recordAt(place())
    case 91..<93: return .range(place(), place())
    case 93..<95: return .verify
    default: return reopens ? .reopen : .sync
    }
  }

  private static func ending(_ generator: inout SeededGenerator) -> Operation.Ending {
    Operation.Ending.allCases.randomElement(using: &generator) ?? .commits
  }

  private mutating func stream() -> Int { Int.random(in: 0..<Self.streams, using: &generator) }

  private mutating func place() -> Double { Double.random(in: 0...1, using: &generator) }

  private mutating func contents(_ count: ClosedRange<Int>) -> [Content] {
    (0..<Int.random(in: count, using: &generator)).map { _ in content() }
  }

  private mutating func chunks() -> Operation {
    let content = content()
    var sizes: [Int] = []
    var left = content.size
    while left > 0, sizes.count < 20 {
      let size = Int.random(in: 0...Swift.max(1, left / (generator.oneIn(2) ? 1 : 5)), using: &generator)
      sizes.append(size)
      left -= size
    }
    let fails = generator.oneIn(3) ? Int.random(in: 0...sizes.count, using: &generator) : nil
    return .appendChunks(content, sizes: sizes, failsAt: fails)
  }

  private mutating func content() -> Content {
    let identity = generator.next()
    let size =
      switch Int.random(in: 0..<200, using: &generator) {
      case 0..<12: 0
      case 12..<20: Int.random(in: 1...8, using: &generator)
      case 20..<120: Int.random(in: 9...300, using: &generator)
      case 120..<170: Int.random(in: 300...6000, using: &generator)
      case 170..<180: edge()
      case 180..<199: Int.random(in: 6000...65536, using: &generator)
      default: Int.random(in: 65536...2 << 20, using: &generator)
      }
    return Content(identity: identity, size: Swift.min(size, largest))
  }

  /// Sizes around which code changes its ways.
  private mutating func edge() -> Int {
    let edges = [4096, 16 << 10, 64 << 10, 256 << 10, 1 << 20]
    let edge = (edges.randomElement(using: &generator) ?? 4096)
    return edge + Int.random(in: -24...24, using: &generator)
  }
}
