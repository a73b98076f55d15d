/// Why a call did not do what it was asked to.
///
/// Every error's `description` says what happened and what to do about it. Two further errors can come out of calls
/// that wait: `CancellationError`, when the task is cancelled, and whatever a closure or a source of bytes handed to
/// Immuta throws, passed on as it is.
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
  case storageClosed
  /// `readerCount` must be at least 1.
  case readerCountIsZero
  /// A duration, size or count in the configuration makes no sense; the text says which.
  case invalidConfiguration(String)
  /// Another writer, in this process or another, has the namespace open.
  case locked(LockHolder)
  /// A file of the log that is open for appending, or its directory, was removed, renamed or replaced. Nothing can be
  /// appended any more by this storage.
  case logMoved(path: String)
  /// The file belongs to a user, by number, who is not to be trusted with what would be written to it: see
  /// ``Storage/Configuration/acceptsFilesOfOthers``.
  case foreignOwner(path: String, owner: Int)
  /// The storage was opened for reading only.
  case readOnly
  /// There is no committed record of this number.
  case recordNotFound(Int)
  /// The record's end would lie beyond what a 64-bit offset can name.
  case recordTooLarge
  /// The file is not a log, or is damaged.
  case corrupted(Corruption)
  /// The log was written with the first codec chain, and opened with the second. Empty: none.
  case codecMismatch(written: String, opened: String)
  /// The log's payloads do not fit the codec that it was opened with, or none: nothing beside the log says which it was
  /// written with, or a key or dictionary is another one. Nothing was changed. The reason says what to do.
  case codecUnknown(path: String, reason: String)
  /// The record is as it was appended, and the codec cannot read it: a wrong key or dictionary, or more bytes than
  /// allowed. Or it is damaged, and no checksum was there to tell. The records around it can be read.
  case undecodable(Corruption)
  /// The codec failed to transform a payload, which was not appended; the text says why.
  case untransformable(String)
  /// A partitioned store has no partition of this number.
  case partitionNotFound(Int, count: Int)
  /// The directory of a partitioned store remembers the first, and was opened with the second.
  case partitioningMismatch(remembered: String, opened: String)
  /// No message of the partition begins at this byte offset.
  case invalidOffset(Int)
  /// The log that is followed was removed, cut back, or replaced by another: what comes next does not follow what was
  /// read. The position stays.
  case logChanged(LogChange)
  /// The log has fewer records than the position says: it may have been put back from an older copy. Counts are of records.
  case positionBeyondEnd(position: Int, count: Int)
  /// The position is another log's. `found` is nil where nothing on file says whose log this is.
  case foreignPosition(expected: LogIdentity, found: LogIdentity?)
  /// A record's number is at least 0.
  case invalidPosition(Int)
  /// A file beside the log, or a record in it, was written by a newer version of the library, or is damaged so that it
  /// looks like that. Nothing was changed.
  case unsupportedVersion(UnsupportedVersion)
  /// The call could only wait for itself, or for somebody who waits for it; nothing was appended. The text says for which
  /// log, and what to do.
  case wouldDeadlock(String)
  /// A payload that comes in chunks has more bytes than ``Storage/Configuration/uploads`` allows; nothing was appended.
  case uploadTooLarge(limit: Int)
  /// The source of a payload gave no chunk for as long as ``Storage/Configuration/uploads`` allows; nothing was appended.
  case uploadStalled(Duration)
  /// A system call failed: the operation's name, the file's path and the error number it gave.
  case io(errno: Int32, operation: String, path: String)
}

/// What became of a log that was followed.
public struct LogChange: Hashable, Sendable {
  /// What happened.
  public enum Kind: Hashable, Sendable {
    /// Nothing that can be read has its name any more.
    case removed
    /// Its end was cut off, by a repair, after a crash of the machine, or because an older copy of it was put in its
    /// place; others may have been appended since.
    case cutBack
    /// Another log has its name.
    case replaced
  }

  /// The log's file.
  public let path: String
  /// What happened.
  public let kind: Kind
  /// How many records, from the first on, are known to be the same now; of a log that was removed, those it had. To go on
  /// after the last of them, begin at this number.
  public let sharedCount: Int

  init(path: String, kind: Kind, sharedCount: Int) {
    self.path = path
    self.kind = kind
    self.sharedCount = sharedCount
  }

  /// The last record that is known to be the same; nil when there is none.
  public var lastShared: Int? { sharedCount > 0 ? sharedCount - 1 : nil }
}

extension LogChange: CustomStringConvertible {
  /// What happened, and what to do, as one sentence.
  public var description: String {
    let last = lastShared.map { "record \($0) is the last that is the same" } ?? "no record is known to be the same"
    return switch kind {
    case .removed:
      "\(path) was removed or renamed while it was read, after \(Words.records(sharedCount)); put it back to go on"
    case .cutBack:
      "\(path) was cut back while it was read: \(last); begin at record \(sharedCount) to go on"
    case .replaced:
      "\(path) was replaced by another log while it was read: \(last); begin at record \(sharedCount) to go on"
    }
  }
}

/// A version that this library does not know.
public struct UnsupportedVersion: Hashable, Sendable {
  /// What has a version.
  public enum Subject: Hashable, Sendable {
    /// The companion of a log.
    case companion
    /// The layout of a log file, as its companion names it.
    case logFormat
    /// The file that keeps what cannot be derived from a log.
    case meta
    /// The layout of a partitioned store.
    case storeLayout
    /// A sealed payload.
    case sealedPayload
  }

  /// The file.
  public let path: String
  /// What has the version.
  public let subject: Subject
  /// The version on file.
  public let found: Int
  /// The highest version that this library knows.
  public let supported: Int

  package init(path: String, subject: Subject, found: Int, supported: Int) {
    self.path = path
    self.subject = subject
    self.found = found
    self.supported = supported
  }
}

extension UnsupportedVersion: CustomStringConvertible {
  /// The path, what has the version, and both versions, as one sentence.
  public var description: String {
    let name =
      switch subject {
      case .companion: "companion"
      case .logFormat: "log format"
      case .meta: "meta file"
      case .storeLayout: "store layout"
      case .sealedPayload: "sealed payload"
      }
    return "\(path): the \(name) has version \(found), and this library knows versions up to \(supported)".printable
  }
}

/// What is damaged, and where.
public struct Corruption: Hashable, Sendable {
  /// The damaged file.
  public var path: String
  /// Number of the damaged record; nil when the damage is not in one record.
  public var sequence: Int?
  /// Byte offset of the damage in the log: the record's index, where it is a record.
  public var index: Int?
  /// What does not fit.
  public var reason: String
  /// Another format that the file may be a log of: nothing but the caller's word decides then. Nil where there is none.
  public var possibleFormat: LogFormat?
  /// Whether the file is something else that has a log's name: nothing in it speaks for a log, and nothing beside it says
  /// that there was one.
  public var isNoLog = false

  /// Describes damage found in a file.
  public init(
    path: String, sequence: Int? = nil, index: Int? = nil, reason: String, possibleFormat: LogFormat? = nil
  ) {
    self.path = path
    self.sequence = sequence
    self.index = index
    self.reason = reason
    self.possibleFormat = possibleFormat
  }
}

extension Corruption: CustomStringConvertible {
  /// The path, the place and the reason, as one sentence.
  public var description: String {
    var text = path
    if let sequence { text += ", record \(sequence)" }
    if let index { text += " at byte \(index)" }
    text += ": \(reason)"
    if let possibleFormat {
      text += "; it may be a log of the format \(possibleFormat): if so, open it with that format"
    }
    return text.printable
  }
}

extension ImmutaError: CustomStringConvertible {
  /// What happened, and what to do, in one line. What comes from files in it is made printable.
  public var description: String { text.printable }

  /// Whether files of the log lost their names.
  var isLogMoved: Bool { if case .logMoved = self { true } else { false } }

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
    case .storageClosed:
      "the storage, or this namespace of it, is closed: open it again"
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
      \(path) belongs to the user \(owner), who could read and change what is written to it: have it removed, or given to \
      the user of this process, or set acceptsFilesOfOthers if that user may be trusted
      """
    case .readOnly:
      "the storage was opened for reading only: open it with access .readWrite to append"
    case .recordNotFound(let sequence):
      "there is no committed record \(sequence)"
    case .recordTooLarge:
      "the record is too large: its end would lie beyond what a 64-bit file offset can name"
    case .corrupted(let corruption):
      corruption.isNoLog ? "not a log: \(corruption)" : "damaged: \(corruption)"
    case .codecMismatch(let written, let opened):
      """
      the log was written with \(Self.codecText(written)) and opened with \(Self.codecText(opened)): \
      open it with the codec it was written with
      """
    case .codecUnknown(let path, let reason):
      "\(path): \(reason)"
    case .undecodable(let corruption):
      """
      cannot be decoded: \(corruption); check that the codec's keys, dictionaries and limit are those for this record. \
      The records around it can be read
      """
    case .untransformable(let reason):
      "the codec cannot transform the payload, nothing was appended: \(reason)"
    case .partitionNotFound(let partition, let count):
      "there is no partition \(partition): there are \(count), numbered from 0"
    case .partitioningMismatch(let remembered, let opened):
      """
      the directory has \(remembered), and was opened with \(opened), which would send keys elsewhere than before: open it \
      as it was made, or copy its messages into a new one
      """
    case .invalidOffset(let offset):
      "no message begins at byte \(offset): read from 0, or from where a message ends"
    case .logChanged(let change):
      "\(change)"
    case .positionBeyondEnd(let position, let count):
      """
      position \(position) is beyond the end: the log has \(Words.records(count)), and the next one is record \(count). \
      Was it put back from an older copy? To wait for that record all the same, skip to it
      """
    case .foreignPosition(let expected, let found):
      "the position is one in the log \(expected), and this is "
        + (found.map { "the log \($0)" } ?? "a log that does not say which it is")
        + ": begin at a record's number instead"
    case .invalidPosition(let position):
      "\(position) is no record's number: records are counted from 0"
    case .unsupportedVersion(let unsupported):
      "\(unsupported): use a newer version of the library; nothing was changed"
    case .wouldDeadlock(let text):
      "it would wait for ever, and nothing was appended: \(text)"
    case .uploadTooLarge(let limit):
      "the payload has more than \(limit) bytes, nothing was appended: send less, or raise uploads.maximumBytes"
    case .uploadStalled(let time):
      "the source of the payload gave nothing for \(time), nothing was appended: send again, or raise uploads.idleTimeout"
    case .io(ErrorNumber.isSymbolicLink, _, let path):
      """
      \(path) is a symbolic link, and those are not followed to a log's files: open the directory that holds the file \
      itself
      """
    case .io(let number, let operation, let path):
      "\(operation) failed on \(path): \(ErrorNumber.message(for: number))\(Self.advice(for: number, of: operation))"
    }
  }

  /// What a failure is called that concerns bytes which have no place in the log yet.
  static var writingTemporaryFile: String { "writing a temporary file" }

  private static func codecText(_ name: String) -> String {
    name.isEmpty ? "no codec" : "codec \(Words.quoted(name))"
  }

  private static func advice(for number: Int32, of operation: String) -> String {
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
      "; no file may be larger here: raise the limit on file sizes (ulimit -f, LimitFSIZE=), or begin another log"
    case ErrorNumber.notFound: "; create it first, or correct the path"
    case ErrorNumber.notDirectory: "; give the path of a directory"
    case ErrorNumber.accessDenied, ErrorNumber.readOnlyFileSystem: "; check who may write there"
    case ErrorNumber.tooManyFiles: "; raise the limit on open files (ulimit -n)"
    default: ""
    }
  }
}
