extension Storage.Configuration {
  /// The options that opening a log uses.
  func opening(_ observer: (any LogObserver)?) -> OpeningOptions {
    OpeningOptions(
      isForReading: access == .readOnly, format: format, durability: durability, readerCount: readerCount,
      verifiesChecksums: verifiesChecksums, codecName: codecName, largestDecodedPayload: largestDecodedPayload,
      deliversStoredPayloads: deliversStoredPayloads || isWithoutKeys, takesPayloadsAsStored: takesPayloadsAsStored,
      acceptsFilesOfOthers: acceptsFilesOfOthers, filesToKeep: filesToKeep, longWait: longWait, segments: segments,
      retention: retention, logger: logger, observer: observer, slowFlush: slowFlush
    ) { files, size, passCount in
      scanProgress(files, size: size, passCount: passCount)
    }
  }
}
