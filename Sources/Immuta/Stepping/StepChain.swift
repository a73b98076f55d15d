/// The intents of one file, by their generations: all intents that were in the file between two looks at it. Pure.
///
/// A file has the last two intents. So no more than two may be written between two looks: otherwise one is missing.
struct StepChain<Intent> {
  private(set) var intents: [UInt64: Intent]
  private var newest: UInt64
  /// Whether none is missing.
  private(set) var isWhole = true
  /// Whether one was written after the first look.
  private(set) var hasGrown = false

  /// - Parameter found: the intents at the first look; none in a file that does not exist yet, whose first generation is 1.
  init(_ found: [UInt64: Intent] = [:]) {
    intents = found
    newest = Self.newest(of: found)
  }

  /// The generation that is written next.
  var next: UInt64 { TwoSlots.next(after: newest) }

  /// Adds the intents that were found at the next look.
  mutating func add(_ found: [UInt64: Intent]) {
    let now = Self.newest(of: found)
    // An intent that was withdrawn, or another file.
    guard now == newest || TwoSlots.isNewer(now, than: newest) else {
      isWhole = false
      return
    }
    for (generation, intent) in found where TwoSlots.isNewer(generation, than: newest) { intents[generation] = intent }
    hasGrown = hasGrown || now != newest
    // One was not found: it was overwritten, or is being overwritten.
    if now &- newest > 2 || (now &- newest == 2 && found[next] == nil) { isWhole = false }
    newest = now
  }

  private static func newest(of found: [UInt64: Intent]) -> UInt64 {
    found.keys.max { TwoSlots.isNewer($1, than: $0) } ?? 0
  }
}
