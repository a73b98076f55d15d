#if JetStream
  import Immuta
  import ImmutaJetStream

  /// A log of a cluster as the target: records go in batches, and each batch is stored as a whole or not at all.
  final class ClusterTarget: AppendTarget {
    private let log: ClusterLog
    /// The records to be sent.
    private var waiting: [[UInt8]] = []
    private var waitingBytes = 0
    /// Receipts of stored records that were not returned yet.
    private var stored: [AppendReceipt] = []

    private static var mostBytes: Int { 1 << 20 }

    init(_ log: ClusterLog) {
      self.log = log
    }

    func append(_ record: ArraySlice<UInt8>, number: Int) async throws -> AppendReceipt? {
      if let most = log.limits.maximumRecordBytes, record.count > most { throw tooLarge(most) }
      waiting.append(Array(record))
      waitingBytes += record.count
      if waiting.count >= log.limits.maximumBatchRecords ?? 1000 || waitingBytes >= Self.mostBytes { try await send() }
      return nil
    }

    func append(_ record: RecordInput.Pieces, number: Int) async throws -> AppendReceipt {
      throw tooLarge(log.limits.maximumRecordBytes ?? 0)
    }

    func settle() async throws -> [AppendReceipt] {
      try await send()
      defer { stored = [] }
      return stored
    }

    private func send() async throws {
      if waiting.isEmpty { return }
      let records = waiting
      (waiting, waitingBytes) = ([], 0)
      let receipts = try await log.append(contentsOf: records, expecting: nil)
      for (sequence, record) in zip(receipts.sequences, records) {
        stored.append(AppendReceipt(sequence: sequence, index: nil, size: record.count))
      }
    }

    private func tooLarge(_ most: Int) -> ToolError {
      ToolError(
        "a record may have \(ByteCount(most).argument) bytes on this cluster, and this one has more: nothing of it was appended. Servers "
          + "take larger ones with a higher max_payload")
    }

    /// What was appended was stored on a majority of the servers by then.
    func sync() {}

    func text(of summary: Appender.Summary, time: Duration) -> String {
      "appended \(Quantities.counted(summary.records, "record")), \(Quantities.counted(summary.bytes, "byte")), to \(log.namespace) on "
        + "the cluster in \(Quantities.time(time))" + Quantities.rateSuffix(summary.bytes, in: time)
    }

    func object(of summary: Appender.Summary, time: Duration) -> JSONObject {
      var object = JSONObject()
      object.add("namespace", log.namespace)
      summary.add(to: &object)
      object.add("first", summary.first)
      object.add("seconds", seconds: time)
      return object
    }
  }
#endif
