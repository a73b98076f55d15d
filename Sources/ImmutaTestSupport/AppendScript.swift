/// A program that two processes know: the seed decides what is appended in which step, so that the reading process knows what the
/// writing one was about to write when it was killed.
public struct AppendScript: Sendable {
  private let seed: UInt64
  private let largest: Int

  /// The script of a seed.
  ///
  /// - Parameter largest: bytes of the largest record.
  public init(seed: UInt64, largest: Int = 40_000) {
    self.seed = seed
    self.largest = largest
  }

  /// The records of a step; more than one are a transaction.
  public func step(_ number: Int) -> [Content] {
    var generator = SeededGenerator(seed: seed &+ UInt64(number) &* 0x9E37_79B9)
    let count = generator.oneIn(4) ? Int.random(in: 2...6, using: &generator) : 1
    return (0..<count).map { _ in
      let identity = generator.next()
      let longest = [0, 8, 100, 100, 100, 2000, largest].randomElement(using: &generator) ?? 100
      return Content(identity: identity, size: Int.random(in: 0...longest, using: &generator))
    }
  }
}
