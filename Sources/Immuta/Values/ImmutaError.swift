/// Why a call did not do what it was asked to.
///
/// Every error's `description` says what happened and what to do about it. Two further errors can come out of calls
/// that wait: `CancellationError`, when the task is cancelled, and the errors of your closures and sources of bytes,
/// passed on as they are.
///
/// Later versions may have more cases: a `switch` over them needs a `default`. Two errors are equal when the same happened with
/// the same numbers and texts. The log that it happened to, ``namespace``, is not compared.
@nonexhaustive
public enum ImmutaError: Error, Hashable, Sendable {
  /// A storage needs at least one namespace.
  case namespaceRequired
  /// The storage has no namespace of this name.
  case namespaceNotFound(String)
  /// The name cannot be a namespace's: see ``Storage/isValidNamespace(_:)``.
  case invalidNamespace(String)
  /// The same namespace was named twice.
  case duplicateNamespace(String)
  /// The storage, or the namespace, was closed, before the call or while it waited.
  case storageClosed(in: Place)
  /// `readerCount` must be at least 1.
  case readerCountIsZero
  /// A duration, size or count in the configuration makes no sense; the text says which.
  case invalidConfiguration(String)
  /// Another writer, in this process or another, has the namespace open.
  case locked(LockHolder)
  /// A file of the log that is open for appending, or its directory, was removed, renamed or replaced. Nothing can be
  /// appended any more by this storage.
  case logMoved(path: String)
  /// The file belongs to a user, by number, who must not be trusted with what would be written to it: see
  /// ``Storage/Configuration/acceptsFilesOfOthers``.
  case foreignOwner(path: String, owner: Int)
  /// The storage was opened for reading only.
  case readOnly(in: Place)
  /// No committed record has this sequence.
  case recordNotFound(Int, in: Place)
  /// The record was removed, with all before `first`: see ``Retention``. The records from `first` on can be read.
  case recordRemoved(sequence: Int, first: Int, in: Place)
  /// The record has more bytes than the log takes, see ``LogLimits/maximumRecordBytes``; or its end would lie beyond the largest
  /// 64-bit offset.
  case recordTooLarge(in: Place)
  /// The file is not a log, or is damaged.
  case corrupted(Corruption)
  /// The log was written with the first codec chain, and opened with the second. Empty: none.
  case codecMismatch(written: String, opened: String, in: Place)
  /// The log's payloads do not fit the codec that it was opened with, or that none was given: no file beside the log names its
  /// codec, or a key or dictionary is another one. Nothing was changed. The reason says what to do.
  case codecUnknown(path: String, reason: String)
  /// The record is as it was appended, and the codec cannot read it: a wrong key or dictionary, or more bytes than
  /// allowed. Or it is damaged, and no checksum exists that would show it. The records around it can be read.
  case undecodable(Corruption)
  /// The record is as it was appended, and is no value of this type; the reason is what the decoder said. The records around
  /// it can be read.
  case undecodableValue(sequence: Int, type: String, reason: String, in: Place)
  /// The codec failed to transform a payload, which was not appended; the text says why.
  case untransformable(String, in: Place)
  /// A partitioned store has no partition of this number.
  case partitionNotFound(Int, count: Int)
  /// The directory of a partitioned store remembers the first, and was opened with the second.
  case partitioningMismatch(remembered: String, opened: String)
  /// No message of the partition begins at this byte offset.
  case invalidOffset(Int, in: Place)
  /// The log that is followed was removed, cut back, or replaced by another: the next records do not continue those that were
  /// read. The position stays.
  case logChanged(LogChange)
  /// The log has fewer records than the position says: it may have been restored from an older copy. Both numbers count records.
  case positionBeyondEnd(position: Int, count: Int, in: Place)
  /// The position is another log's. `found` is nil where no file holds this log's identity.
  case foreignPosition(expected: LogIdentity, found: LogIdentity?, in: Place)
  /// A record's sequence is at least 0.
  case invalidPosition(Int, in: Place)
  /// An append or a transaction that expected the log, or a key of it, to have the first number of records found the second.
  /// Nothing was appended.
  case unexpectedCount(expected: Int, actual: Int, in: Place)
  /// The name cannot be a consumer's: the rules are those of namespaces.
  case invalidConsumer(String)
  /// The log has no consumer of this name.
  case consumerNotFound(String, in: Place)
  /// Somebody else, in this process or another, has the consumer.
  case consumerInUse(ConsumerOwner)
  /// The consumer was closed, before the call or while it waited.
  case consumerClosed(String, in: Place)
  /// The consumer of a partitioned store does not hold this partition: another member of its group has it, or the consumer did
  /// not ask for it.
  case partitionNotHeld(Int, consumer: String)
  /// The log is not what it was when the consumer acknowledged the record before this position: an older copy was put in its
  /// place, or its end was cut off and other records were appended since.
  case positionOutdated(position: Int, consumer: String, in: Place)
  /// The name is a work queue's and was asked for as a consumer's, or the other way round.
  case otherKindOfConsumer(String, isWorkQueue: Bool, in: Place)
  /// The worker does not have the job any more: its lease ran out and another worker got the job, or the job is done.
  case leaseLost(sequence: Int, queue: String, in: Place)
  /// A file beside the log, or a record in it, was written by a newer version of the library, or is damaged so that it
  /// looks like that. Nothing was changed.
  case unsupportedVersion(UnsupportedVersion)
  /// The call could only wait for itself, or for a caller that waits for it; nothing was appended. The text says for which log,
  /// and what to do.
  case wouldDeadlock(String)
  /// A payload that comes in chunks has more bytes than ``Storage/Configuration/uploads`` allows; nothing was appended.
  case uploadTooLarge(limit: Int, in: Place)
  /// The source of a payload gave no chunk for as long as ``Storage/Configuration/uploads`` allows; nothing was appended.
  case uploadStalled(Duration, in: Place)
  /// More records were to be appended together than the log takes at once; nothing was appended.
  case batchTooLarge(maximum: Int, in: Place)
  /// The server that keeps the log did not answer, or cannot do now what was asked: for example, no majority of a cluster can be
  /// reached, or it is choosing a leader. Nothing was appended. The text says what happened.
  case unavailable(String, in: Place)
  /// Nobody knows whether an append was stored: it was sent, and no answer came. The text says why. Ask
  /// ``AppendOnlyLog/outcome(of:)``. A log in this process never throws this.
  case outcomeUnknown(UnknownAppend, reason: String)
  /// A system call failed: the operation's name, the file's path and the error number it gave.
  case io(errno: Int32, operation: String, path: String)
}
