/// How a segment of a log is set up for readers and the writer: where its files are, and which options the log was opened with.
struct LogSetup: Sendable {
  let files: LogFiles
  let options: OpeningOptions
  /// Transforms payloads; the logs of a storage share one.
  let pools: TransformPools

  /// The same, for another segment.
  func at(_ files: LogFiles) -> LogSetup { LogSetup(files: files, options: options, pools: pools) }

  var trust: FileTrust {
    FileTrust(in: files.directory, acceptsFilesOfOthers: options.acceptsFilesOfOthers)
  }

  /// Finishes steps that were cut off.
  var settlement: Settlement {
    Settlement(files: files, acceptsFilesOfOthers: options.acceptsFilesOfOthers, logger: options.logger)
  }

  func check(_ format: LogFormat) -> RecordCheck {
    RecordCheck(
      path: files.logPath, first: files.first, format: format, verifiesChecksums: options.verifiesChecksums,
      decoder: pools.reading.map { pool in
        RecordDecoder(namespace: files.namespace, pool: pool, limit: options.largestDecodedPayload) { [files] in
          LogKnowledge.advice(afterRenaming: files)
        }
      })
  }

  /// The reader of a segment whose files are open for writing.
  func reader(
    _ log: Descriptor, _ logFile: FileIdentity, _ companion: Descriptor, _ companionFile: FileIdentity,
    _ progress: LogProgress, end: Int, _ identity: LogIdentity, _ format: LogFormat
  ) -> LogReader {
    LogReader(
      format: format, check: check(format), progress: progress, end: end,
      log: DescriptorPool(like: log, logFile, files.log, of: files.directory, capacity: options.readerCount),
      entries: .file(
        DescriptorPool(like: companion, companionFile, files.companion, of: files.directory, capacity: 1)),
      identity: identity, mapsLargeRecords: true)
  }

  /// Checks whether the files of a segment still have their names and their bytes.
  ///
  /// - Parameter once: the files that exist once for the log.
  func names(
    _ reader: LogReader, _ log: Descriptor, _ logFile: FileIdentity, _ companion: Descriptor,
    _ companionFile: FileIdentity, _ once: [NameCheck.NamedFile]
  ) -> NameCheck {
    let own = [
      NameCheck.NamedFile(directory: files.directory, name: files.log, identity: logFile) { [known = log.knownSize] in
        max(reader.end, known.value)
      },
      NameCheck.NamedFile(directory: files.directory, name: files.companion, identity: companionFile) {
        [known = companion.knownSize] in max(CompanionEntry.offset(of: reader.ownCount), known.value)
      },
    ]
    return NameCheck(own + once)
  }
}
