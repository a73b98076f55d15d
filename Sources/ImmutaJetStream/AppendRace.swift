#if JetStream
  /// How writers that append to one log at the same time each get their turn, without knowing of each other.
  ///
  /// Each writer appends at the number that it thinks is next, and the first one at the leader gets it. Two things would let one
  /// writer win each time. The winner learns the next number first, from its own acknowledgement: so a writer that had a rival
  /// lately pauses a moment before it appends again. And a number is outdated some milliseconds later: so a loser tries again at
  /// once with the number in the answer, and waits, shortly, only when it lost with that one, too.
  struct AppendRace {
    private var losses = 0

    /// How long a rival is remembered.
    static let memory = Duration.seconds(1)
    /// The longest of the moments that a winner leaves to its rivals: about as long as a loser needs to get the number and to
    /// send.
    private static let longestCourtesy = 1_000
    /// The longest pause of a loser.
    private static let longestRest = 2_000

    mutating func restAfterLosing() async {
      losses += 1
      if losses.isMultiple(of: 2) { await Self.sleep(atMost: Self.longestRest) }
    }

    /// Lets others go first.
    static func leaveAMoment() async {
      await sleep(atMost: longestCourtesy)
    }

    /// Not all equally long, or they would meet again.
    private static func sleep(atMost microseconds: Int) async {
      // Nobody cancels the task of a line.
      try? await Task.sleep(for: .microseconds(Int.random(in: 0...microseconds)))
    }
  }
#endif
