extension ImmutaError: CustomStringConvertible {
  /// What happened, and what to do, in one line. Text that comes from files is made printable.
  public var description: String { text.printable }

  private var text: String {
    switch self {
    case .namespaceRequired:
      "no namespace was given: name at least one"
    case .namespaceNotFound(let name):
      """
      there is no namespace “\(name)” here: check the name and the directory; to create it, name it when opening the storage \
      for appending, or call log(_:creating: true)
      """
    case .invalidNamespace(let name):
      "“\(name)” cannot be a namespace: use 1 to 200 letters, digits, “.”, “_” or “-”, not starting with “.”"
    case .duplicateNamespace(let name):
      "the namespace “\(name)” was named twice: name each once"
    case .storageClosed(let place):
      place.namespace.map { "the storage, or its namespace “\($0)”, is closed: open it again" }
        ?? "the storage is closed: open it again"
    case .readerCountIsZero:
      "readerCount must be at least 1"
    case .invalidConfiguration(let text):
      "invalid configuration: \(text)"
    case .locked(let holder):
      "another writer has this log: \(holder); close it there first, or open for reading only"
    case .logMoved(let path):
      """
      \(path) is no longer what this log was opened with: it was removed, renamed or replaced. What was appended since the \
      last flush is only in the file that is gone: close the log, and put the file back, or open a new log
      """
    case .foreignOwner(let path, let owner):
      """
      \(path) belongs to the user \(owner), who could read and change what is written to it. If it is yours, give it to \
      the user of this process with chown. If you trust that user, set acceptsFilesOfOthers. Otherwise do not use it
      """
    case .readOnly(let place):
      "\(place.named ?? "the storage") was opened for reading only: open it with access .readWrite to append"
    case .recordNotFound(let sequence, let place):
      "there is no committed record \(sequence)\(place.suffix): numbers run from 0 up to the log's count, exclusive"
    case .recordRemoved(let sequence, let first, let place):
      """
      record \(sequence)\(place.suffix) was removed, as the log keeps its newest records only: the first that it has is \
      record \(first); begin there
      """
    case .recordTooLarge(let place):
      """
      the record is too large\(place.suffix(" for")): it has more bytes than the log's limits.maximumRecordBytes, or its end \
      would lie beyond what a 64-bit file offset can name. Append less, or in several records
      """
    case .corrupted(let corruption):
      corruption.isNoLog ? "not a log: \(corruption)" : "damaged: \(corruption)"
    case .codecMismatch(let written, let opened, let place):
      """
      the log\(place.suffix("")) was written with \(Self.codecText(written)) and opened with \(Self.codecText(opened)): \
      open it \(written.isEmpty ? "without a codec" : "with the codec it was written with")
      """
    case .codecUnknown(let path, let reason):
      "\(path): \(reason)"
    case .undecodable(let corruption):
      """
      cannot be decoded: \(corruption); check that the codec's keys, dictionaries and limit are those for this record. \
      The records around it can be read
      """
    case .undecodableValue(let sequence, let type, let reason, let place):
      """
      record \(sequence)\(place.suffix) is no value of \(type): \(reason). Read it with the type and the coder that it was \
      appended with, or teach the type to read it; the records around it can be read
      """
    case .untransformable(let reason, let place):
      "the codec cannot transform the payload, nothing was appended\(place.suffix(" to")): \(reason)"
    case .partitionNotFound(let partition, let count):
      "there is no partition \(partition): there are \(count), numbered from 0"
    case .partitioningMismatch(let remembered, let opened):
      """
      the directory has \(remembered), and was opened with \(opened), which would send keys elsewhere than before: open it \
      as it was made, or copy its messages into a new one
      """
    case .invalidOffset(let offset, let place):
      "no message begins at byte \(offset)\(place.suffix): read from 0, or from where a message ends"
    case .logChanged(let change):
      "\(change)"
    case .positionBeyondEnd(let position, let count, let place):
      """
      position \(position) is beyond the end\(place.suffix(" of")): the log has \(Quantity.records(count)), and the next one is record \(count). \
      Was it put back from an older copy? Then move the consumer with seekConsumer, or begin the stream at a record that exists; a \
      stream that begins with .skipping waits for that record
      """
    case .foreignPosition(let expected, let found, let place):
      "the position is one in the log \(expected), and \(place.named ?? "this") is "
        + (found.map { "the log \($0)" } ?? "a log that does not say which it is")
        + ": begin at a record's number instead"
    case .invalidPosition(let position, let place):
      "\(position) is no record's number\(place.suffix): records are counted from 0"
    case .unexpectedCount(let expected, let actual, let place):
      """
      \(place.counted) has \(Quantity.records(actual)), not \(expected) as expected, and nothing was appended: read what \
      came, decide again, and append with the new count
      """
    case .invalidConsumer(let name):
      "“\(name)” cannot be a consumer: use 1 to 200 letters, digits, “.”, “_” or “-”, not starting with “.”"
    case .consumerNotFound(let name, let place):
      "there is no consumer “\(name)”\(place.suffix(" of")): check the name, or leave out creating: false to make it"
    case .consumerInUse(let owner):
      "somebody else has this consumer: \(owner); close it there first"
    case .consumerClosed(let name, let place):
      "the consumer “\(name)”\(place.suffix(" of")) is closed: open it again"
    case .partitionNotHeld(let partition, let consumer):
      """
      this consumer “\(consumer)” does not have partition \(partition) (any more): what it delivered of it and was not \
      acknowledged is delivered again, by whoever has the partition now
      """
    case .positionOutdated(let position, let consumer, let place):
      """
      the consumer “\(consumer)” had come to record \(position)\(place.suffix), and the record before is another one now: the \
      log was put back from an older copy, or its end was cut off. Seek the consumer to where it is to go on
      """
    case .otherKindOfConsumer(let name, let isWorkQueue, let place):
      isWorkQueue
        ? "“\(name)”\(place.suffix(" of")) is a work queue: open it with workQueue(_:), or give the consumer another name"
        : "“\(name)”\(place.suffix(" of")) is a consumer: open it with consumer(_:), or give the work queue another name"
    case .leaseLost(let sequence, let queue, let place):
      """
      job \(sequence) of the work queue “\(queue)”\(place.suffix) is not this worker's any more: its lease ran out and somebody \
      else got it, or it is done. Work must stand being done twice; for more time, extend the lease or choose a longer one
      """
    case .unsupportedVersion(let unsupported):
      "\(unsupported): use a newer version of the library; nothing was changed"
    case .wouldDeadlock(let text):
      "it would wait for ever, and nothing was appended: \(text)"
    case .uploadTooLarge(let limit, let place):
      "the payload has more than \(limit) bytes, nothing was appended\(place.suffix(" to")): send less, or raise uploads.maximumBytes"
    case .uploadStalled(let time, let place):
      "the source of the payload gave nothing for \(time), nothing was appended\(place.suffix(" to")): send again, or raise uploads.idleTimeout"
    case .batchTooLarge(let maximum, let place):
      """
      more than \(Quantity.records(maximum)) were to be appended\(place.suffix(" to")) together, and nothing was appended: append \
      fewer at once
      """
    case .unavailable(let reason, let place):
      """
      \(place.named.map { "the log \($0)" } ?? "the cluster") cannot be reached now: \(reason). Nothing was appended; try again
      """
    case .outcomeUnknown(let append, let reason):
      """
      it is not known whether \(Quantity.records(append.count)) with the id \(append.id) went into “\(append.namespace)”: \
      \(reason). Ask outcome(of:) of the log before you append again
      """
    case .io(ErrorNumber.isSymbolicLink, _, let path):
      """
      \(path) is a symbolic link, and those are not followed to a log's files: open the directory that holds the file \
      itself
      """
    case .io(let number, let operation, let path):
      "\(operation) failed on \(path): \(ErrorNumber.message(for: number))\(Self.advice(for: number, of: operation, on: path))"
    }
  }

  /// Whether a file holds records: a log can go on in another file; a consumer's position cannot.
  private static func isLog(_ path: String) -> Bool { path.hasSuffix(".log") || path.hasSuffix(".bilog") }

  /// The operation's name for a failure with bytes that have no place in the log yet.
  static var writingTemporaryFile: String { "writing a temporary file" }

  private static func codecText(_ name: String) -> String {
    name.isEmpty ? "no codec" : "codec \(name.quoted)"
  }

  private static func advice(for number: Int32, of operation: String, on path: String) -> String {
    switch number {
    // Space is reserved before anything is written; a write or a flush that fails is final.
    case ErrorNumber.noSpace where operation == "fallocate": "; make room and try again, nothing was appended"
    case ErrorNumber.noSpace where operation == Self.writingTemporaryFile:
      "; make room and try again, nothing was appended"
    case ErrorNumber.noSpace: "; make room and open the storage again"
    case ErrorNumber.quotaExceeded where operation == "fallocate":
      "; make room in the quota and try again, nothing was appended"
    case ErrorNumber.quotaExceeded: "; make room in the quota and open the storage again"
    case ErrorNumber.fileTooLarge:
      "; no file may be larger here: raise the limit on file sizes (ulimit -f, LimitFSIZE=)"
        + (isLog(path) ? ", or begin another log" : "")
    case ErrorNumber.notFound where operation == "rename" || operation == "unlink":
      "; the directory was removed, renamed or replaced while it was in use: put it back, and open the storage again"
    case ErrorNumber.notFound where operation == "mkdir":
      "; create the directory that it is in first, or correct the path"
    case ErrorNumber.notFound: "; correct the path, or see that its disk is mounted"
    case ErrorNumber.notDirectory: "; give the path of a directory"
    case ErrorNumber.accessDenied, ErrorNumber.readOnlyFileSystem: "; check who may write there"
    case ErrorNumber.tooManyFiles:
      "; this process may have \(ThisProcess.mostOpenFiles) open at once: raise that limit "
        + "(ulimit -n \(max(256, 2 * ThisProcess.mostOpenFiles)))"
    default: ""
    }
  }
}

extension ImmutaError.Place {
  /// “In”, and the namespace; empty where there is none.
  fileprivate var suffix: String { suffix(" in") }

  /// A word or none, and the namespace; empty where there is none.
  fileprivate func suffix(_ word: String) -> String { named.map { "\(word) \($0)" } ?? "" }

  fileprivate var named: String? { namespace.map { "“\($0)”" } }

  /// Whose records were counted: those of the log, or of a key of it.
  fileprivate var counted: String {
    guard let key else { return "the log\(suffix(""))" }
    // A key may be as long as a record.
    let start = String(String.UnicodeScalarView(key.unicodeScalars.prefix(64)))
    return "the key \((start == key ? key : start + "…").quoted)\(suffix(" of"))"
  }
}
