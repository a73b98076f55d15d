import Immuta

/// Records of a log that hold a text, as far as one request looks: an answer.
struct SearchPage: Encodable {
  let found: [RecordShape]
  /// Records that were looked at.
  let searched: Int
  /// Records that could not be read.
  let unreadable: Int
  /// The number to go on with; nil at the end, which is the last record that existed.
  let next: Int?
  let count: Int

  /// What one request may cost.
  struct Budget {
    var found = 100
    var time = Duration.milliseconds(250)
    var bytesShown = 1024
  }

  /// Goes on from a number to the end, or until the budget is used up. At least one record is looked at. O(bytes looked at).
  init(_ log: Log, for needle: Needle, from number: Int, budget: Budget = Budget()) throws {
    let numbers = log.numbers
    let begin = ContinuousClock.now
    var place = max(number, numbers.lowerBound)
    var (found, searched, unreadable): ([RecordShape], Int, Int) = ([], 0, 0)
    while place < numbers.upperBound {
      var history = log.history(from: .skipping(place))
      do {
        while place < numbers.upperBound, let record = try history.next() {
          place = record.sequence + 1
          searched += 1
          if try needle.isIn(record.payload) {
            found.append(try RecordShape(record, atMost: budget.bytesShown))
            if found.count >= budget.found { break }
          }
          // Asking for the time takes longer than searching a small record.
          if searched.isMultiple(of: 64) || record.size > 4096, ContinuousClock.now - begin > budget.time { break }
        }
      } catch ImmutaError.corrupted, ImmutaError.undecodable {
        place = max(place, history.position) + 1
        (searched, unreadable) = (searched + 1, unreadable + 1)
      } catch ImmutaError.recordRemoved(_, let first, _) {
        place = max(place + 1, first)
      }
      if found.count >= budget.found || ContinuousClock.now - begin > budget.time { break }
    }
    (self.found, self.searched, self.unreadable) = (found, searched, unreadable)
    (next, count) = (place < numbers.upperBound ? place : nil, numbers.upperBound)
  }
}
