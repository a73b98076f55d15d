/// Records of one segment that may have a key, in the order of their numbers, and the bytes of those that were read ahead.
struct KeyReadAhead: Sendable {
  /// Where the records are. A place has no entry if an index in memory knows only the record's number, or if the record could not
  /// be read.
  private let places: [FoundRecords.Place]
  private let found: FoundRecords?
  private var position = 0

  /// None.
  init() {
    (places, found) = ([], nil)
  }

  init(_ places: [FoundRecords.Place], _ found: FoundRecords? = nil) {
    (self.places, self.found) = (places, found)
  }

  /// The record that comes first; nil after the last.
  var first: FoundRecords.Place? { position < places.count ? places[position] : nil }

  /// The record that comes first, if it was read ahead, is whole, and the log is open.
  var record: Record? {
    guard let found, found.isOpen else { return nil }
    return found.record(places[position].number, at: position)
  }

  mutating func removeFirst() { position += 1 }

  /// Passes the records before a number.
  mutating func pass(to number: Int) {
    while position < places.count, places[position].number < number { position += 1 }
  }
}
