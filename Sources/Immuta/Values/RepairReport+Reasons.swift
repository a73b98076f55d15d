extension RepairReport {
  /// Why records are lost. Its description says it in words. Later versions may have more cases.
  @nonexhaustive
  public enum LossReason: Hashable, Sendable {
    /// The companion's entry is damaged, and so are the bytes before the record: nobody knows where the record is.
    case placeUnknown
    /// The file has a hole, which reads as more empty records than any log has.
    case hole
    /// The record's size field does not fit the file.
    case sizeFieldDamaged
    /// The log ends inside the record.
    case cutShort
    /// The record's bytes do not have the checksum that was taken when they were appended.
    case changed
    /// The payload does not have the checksum that is stored with it.
    case payloadChecksum
    /// The companion's entry is damaged, and the size field does not lead to the next record.
    case entryAndSizeFieldDamaged
    /// The log or its companion counts the records, but neither has them.
    case notFound
    /// The log is older than its companion, for example in a copy that was made log first while the log was written. It lacks the
    /// first of these records, or a part of it, and so the others after it.
    case olderThanCompanion
    /// The log's end is damaged, for the reason given in words: everything after that is lost, too.
    case endDamaged(String)
    /// The segment that had them is missing, or ends before the next one begins.
    case segmentMissing
    /// The segment exists, but does not belong in its place, for the reason given in words.
    case segmentRefused(String)
    /// The record is whole, but the codec cannot read it, for the reason given in words.
    case undecodable(String)
  }

  /// Something that a repair does, or would do. Its description says it in words. Later versions may have more cases.
  @nonexhaustive
  public indirect enum Action: Hashable, Sendable {
    /// Sets the companion aside: it belongs to another log.
    case setCompanionAside
    /// Recovers the log as opening it for appending does; the text says how.
    case recover(String)
    /// Sets the header's numbers, which are wrong. LAST INDEX is nil where the format has none.
    case setHeader(count: Int, lastIndex: Int?, countBefore: Int, lastIndexBefore: Int?)
    /// Cuts bytes off the log's end, from a byte offset on, and with them their records, if any.
    case cutOff(bytes: Int, from: Int, records: Range<Int>)
    /// Cuts off so many records that another program appended to a segment after it was sealed. Their numbers belong to the
    /// segments after it.
    case cutOffAppended(bytes: Int, from: Int, count: Int)
    /// Takes back records that have no bytes left.
    case takeBack(records: Range<Int>)
    /// Keeps the records up to this one. The rest of its transaction, after it, is lost.
    case keepPartOfTransaction(last: Int)
    /// Makes the companion from the log.
    case makeCompanion
    /// Makes as many missing or damaged entries of the companion from the log.
    case makeEntries(Int)
    /// Marks the log as closed with so many records.
    case markClosed(count: Int)
    /// Removes the files of an unfinished salvage into the same namespace.
    case removeUnfinishedSalvage
    /// Copies so many whole records into a new namespace.
    case copyRecords(Int, into: String)
    /// Takes the payloads as they are stored: no file says whether a codec was used.
    case takePayloadsAsStored
    /// Does this in the segment that begins with a record. Counts and numbers are the segment's.
    case inSegment(first: Int, Action)
  }
}

extension RepairReport.LossReason {
  /// The reason without its words, for programs.
  package var code: String {
    switch self {
    case .placeUnknown: "placeUnknown"
    case .hole: "hole"
    case .sizeFieldDamaged: "sizeField"
    case .cutShort: "cutShort"
    case .changed: "checksum"
    case .payloadChecksum: "payloadChecksum"
    case .entryAndSizeFieldDamaged: "entryAndSizeField"
    case .notFound: "notFound"
    case .olderThanCompanion: "olderThanCompanion"
    case .endDamaged: "endDamaged"
    case .segmentMissing: "segmentMissing"
    case .segmentRefused: "segmentRefused"
    case .undecodable: "undecodable"
    }
  }
}

extension RepairReport.LossReason: CustomStringConvertible {
  /// What is wrong, for people.
  public var description: String {
    switch self {
    case .placeUnknown: "its companion entry and its place are lost"
    case .hole: "the file has a hole there, which reads as more records of no bytes than any log has"
    case .sizeFieldDamaged: "its size field does not fit the file"
    case .cutShort: "the log ends inside it"
    case .changed: "its bytes are not those that were appended"
    case .payloadChecksum: "its payload does not have its checksum"
    case .entryAndSizeFieldDamaged:
      "its companion entry is damaged, and its size field does not lead to the next record"
    case .notFound: "nothing says where they are"
    case .olderThanCompanion:
      "the log is older than its companion, as if it had been copied first while somebody wrote it: it lacks the first of "
        + "them, and the others follow that one"
    case .endDamaged(let reason): "\(reason); whatever follows it is lost with it"
    case .segmentMissing: "the segment that had them is missing: put it back from a backup"
    case .segmentRefused(let reason): reason
    case .undecodable(let reason): "cannot be decoded: \(reason)"
    }
  }
}

extension RepairReport.Action: CustomStringConvertible {
  /// What is done, for people, beginning with a verb.
  public var description: String {
    switch self {
    case .setCompanionAside: "set the companion aside: it belongs to another log"
    case .recover(let note): "recover as opening for appending does: the log \(note)"
    case .setHeader(let count, let lastIndex, let countBefore, let lastIndexBefore):
      "set the header to COUNT \(count)" + (lastIndex.map { ", LAST INDEX \($0)" } ?? "")
        + " (it says \(countBefore)" + (lastIndexBefore.map { " and \($0)" } ?? "") + ")"
    case .cutOff(let bytes, let start, let records):
      records.isEmpty
        ? "cut off \(Quantity.bytes(bytes)) after the last record, from byte \(start) on"
        : "cut off \(Quantity.records(records)), \(Quantity.bytes(bytes)) from byte \(start) on"
    case .cutOffAppended(let bytes, let start, let count):
      "cut off \(Quantity.records(count)) that another program appended after the segment was sealed, \(Quantity.bytes(bytes)) "
        + "from byte \(start) on"
    case .takeBack(let records): "take back \(Quantity.records(records)), of which no bytes are left"
    case .keepPartOfTransaction(let last):
      "keep record \(last), whose transaction is lost from record \(last + 1) on"
    case .makeCompanion: "make the companion from the log"
    case .makeEntries(let count): "make \(count) missing or damaged companion entries from the log"
    case .markClosed(let count): "mark the log as closed with \(Quantity.records(count))"
    case .removeUnfinishedSalvage: "remove what an earlier salvage into the same namespace left that did not end"
    case .copyRecords(let count, let namespace):
      "copy its \(count == 1 ? "one whole record" : "\(count) whole records") into “\(namespace)”"
    case .inSegment(let first, let action): "in the segment that begins with record \(first): \(action)"
    case .takePayloadsAsStored: "take them as they are stored: nothing says whether a codec was used"
    }
  }
}
