import Immuta

extension LogStore {
  /// Where an appended message is.
  public struct Receipt: Hashable, Sendable {
    /// The partition that the key picked.
    public let partition: Int
    /// Byte offset of the message in the partition: where reading it begins.
    public let offset: Int
    /// Bytes of the payload. The message has twelve more.
    public let size: Int
    /// The message's number in the partition: 0 for its first.
    public let sequence: Int

    init(_ partition: Int, _ receipt: Immuta.Receipt) {
      self.partition = partition
      offset = receipt.index
      size = receipt.size
      sequence = receipt.sequence
    }
  }

  /// Appends one message: text, as UTF-8, to the partition that the key picks.
  ///
  /// When it returns, every reader can see it, it survives the end of the process, and, with durability `.synced`, a
  /// power cut or a crash of the kernel. Messages of one key are in the order of their appends; partitions are appended
  /// to side by side. An empty payload is a message like any other. O(bytes); a small message takes no system call.
  ///
  /// - Throws: `.storageClosed`, `.readOnly`, `.recordTooLarge`, `.io`; `CancellationError` while it waits for its
  ///   turn.
  @discardableResult
  public func append(_ payload: some StringProtocol, key: some StringProtocol) async throws -> Receipt {
    let (partition, log) = try target { self.partition(of: key) }
    return Receipt(partition, try await log.append(payload))
  }

  /// Appends one message: bytes. Otherwise as for text.
  @discardableResult
  public func append(_ payload: some Collection<UInt8>, key: some StringProtocol) async throws -> Receipt {
    let (partition, log) = try target { self.partition(of: key) }
    return Receipt(partition, try await log.append(payload))
  }

  /// Appends one message: bytes, by a key of bytes. Otherwise as for text.
  @discardableResult
  public func append(_ payload: some Collection<UInt8>, key: some Collection<UInt8>) async throws -> Receipt {
    let (partition, log) = try target { self.partition(of: key) }
    return Receipt(partition, try await log.append(payload))
  }

  /// Appends one message whose bytes come in chunks, in bounded memory. Nobody waits for its source: the chunks are
  /// received beside the partition, within the limits of the configuration's `uploads`. If the source throws, nothing
  /// was appended. Otherwise as for text.
  @discardableResult
  public func append<Chunks: AsyncSequence>(_ payload: Chunks, key: some StringProtocol) async throws -> Receipt
  where Chunks.Element: Collection<UInt8> {
    let (partition, log) = try target { self.partition(of: key) }
    return Receipt(partition, try await log.append(payload))
  }
}

// The same for code that is not async: these block the calling thread while they wait.
extension LogStore {
  /// Appends one message: text, as UTF-8. Blocks while a transaction has the partition, and for the flush in `.synced`.
  @discardableResult
  public func append(_ payload: some StringProtocol, key: some StringProtocol) throws -> Receipt {
    let (partition, log) = try target { self.partition(of: key) }
    return Receipt(partition, try log.append(payload))
  }

  /// Appends one message: bytes. Blocks while a transaction has the partition, and for the flush in `.synced`.
  @discardableResult
  public func append(_ payload: some Collection<UInt8>, key: some StringProtocol) throws -> Receipt {
    let (partition, log) = try target { self.partition(of: key) }
    return Receipt(partition, try log.append(payload))
  }

  /// Appends one message: bytes, by a key of bytes. Blocks as for text.
  @discardableResult
  public func append(_ payload: some Collection<UInt8>, key: some Collection<UInt8>) throws -> Receipt {
    let (partition, log) = try target { self.partition(of: key) }
    return Receipt(partition, try log.append(payload))
  }
}
