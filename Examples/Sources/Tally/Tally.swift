import Immuta
import ImmutaCodable

/// Votes, counted by code that does not know where their log is kept.
struct Vote: Codable {
  var voter: Int
  var choice: String
}

struct AlreadyVoted: Error {}

/// Casts a vote, unless its voter has cast one. Others may cast votes
/// meanwhile, in other processes, on other machines.
func cast(_ vote: Vote, in log: some AppendOnlyLog) async throws {
  let votes = log.values(of: Vote.self)
  var (seen, voters) = (0, Set<Int>())
  var stream = votes.stream()
  while true {
    let count = try await log.count
    while seen < count, let earlier = try await stream.next() {
      voters.insert(earlier.value.voter)
      seen = earlier.sequence + 1
    }
    if voters.contains(vote.voter) { throw AlreadyVoted() }
    do {
      try await votes.append(vote, expecting: count)
      return
    } catch ImmutaError.unexpectedCount {
      // Somebody else was faster: look again.
    } catch ImmutaError.outcomeUnknown {
      // It may be there, or not: looking again tells.
    }
  }
}

@main struct Tally {
  static func main() async throws {
    let storage = try Storage(directory: "./log-data", namespaces: ["votes"])
    defer { storage.close() }
    try await run(in: try storage.log("votes"))
  }

  static func run(in log: some AppendOnlyLog) async throws {
    for voter in 0..<5 {
      do {
        try await cast(Vote(voter: voter, choice: voter.isMultiple(of: 2) ? "tea" : "coffee"), in: log)
      } catch is AlreadyVoted {
        print("voter \(voter) has voted")
      }
    }
    var tally: [String: Int] = [:]
    let counter = try await log.values(of: Vote.self).consumer("counter")
    while try await counter.consumer.lag > 0, let vote = try await counter.next() {
      tally[vote.value.choice, default: 0] += 1
      try await counter.acknowledge(vote)
    }
    print("new votes:", tally.sorted { $0.key < $1.key }.map { "\($0.value) for \($0.key)" }.joined(separator: ", "))
  }
}
