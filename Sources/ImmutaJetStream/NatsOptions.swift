#if JetStream
  import CImmutaNats
  import Immuta
  import ImmutaLibC

  /// Options as the C library takes them.
  ///
  /// Its defaults do not suit a log: it would look every two minutes whether the server is still there, and give up after some
  /// attempts; a message would wait a millisecond for others; each subscription would have a thread.
  @safe final class NatsOptions {
    let pointer: OpaquePointer

    /// How much may be waiting to be written to the socket while there is no connection.
    private static let mostBuffered: Int32 = 8 << 20

    init(
      _ options: Cluster.Options, _ servers: [ServerAddress], _ number: UInt, isBuffered: Bool
    ) throws(ImmutaError) {
      var pointer: OpaquePointer?
      let status = unsafe natsOptions_Create(&pointer)
      guard status == NATS_OK, let pointer = unsafe pointer else { throw NatsFailure.connecting(status, to: servers) }
      unsafe self.pointer = pointer
      try set(options, servers)
      try check(unsafe natsOptions_SetSendAsap(pointer, !isBuffered))
      try check(unsafe natsOptions_UseGlobalMessageDelivery(pointer, true))
      try check(unsafe natsOptions_SetPingInterval(pointer, 2000))
      try check(unsafe natsOptions_SetMaxPingsOut(pointer, 2))
      try check(unsafe natsOptions_SetMaxReconnect(pointer, -1))
      try check(unsafe natsOptions_SetReconnectWait(pointer, 100))
      try check(unsafe natsOptions_SetReconnectJitter(pointer, 50, 50))
      try check(unsafe natsOptions_SetWriteDeadline(pointer, 2000))
      try check(unsafe natsOptions_SetReconnectBufSize(pointer, Self.mostBuffered))
      let closure = unsafe Callbacks.closure(number)
      try check(
        unsafe natsOptions_SetDisconnectedCB(
          pointer, { _, closure in unsafe Callbacks.target(closure)?.changed(.lost) }, closure))
      try check(
        unsafe natsOptions_SetReconnectedCB(
          pointer, { _, closure in unsafe Callbacks.target(closure)?.changed(.restored) }, closure))
      try check(
        unsafe natsOptions_SetClosedCB(
          pointer, { _, closure in unsafe Callbacks.target(closure)?.changed(.ended) }, closure))
      // Else it prints on the process's own standard error.
      try check(unsafe natsOptions_SetErrorHandler(pointer, { _, _, _, _ in }, nil))
    }

    deinit {
      unsafe natsOptions_Destroy(pointer)
    }

    private func check(_ status: natsStatus) throws(ImmutaError) {
      if status != NATS_OK {
        throw .invalidConfiguration("the C library for NATS refuses an option: \(NatsFailure(status))")
      }
    }

    private func set(_ options: Cluster.Options, _ servers: [ServerAddress]) throws(ImmutaError) {
      let urls = unsafe servers.map { server in unsafe strdup(server.url) }
      defer { unsafe urls.forEach { url in unsafe free(url) } }
      var list = unsafe urls.map { url in unsafe UnsafePointer<CChar>(url) }
      try check(unsafe natsOptions_SetServers(pointer, &list, Int32(list.count)))
      try check(unsafe natsOptions_SetTimeout(pointer, Int64(options.connectTimeout / .milliseconds(1))))
      try check(unsafe natsOptions_SetName(pointer, options.name))
      // For servers that others announce: these come without user and password.
      if let parts = servers.compactMap(\.userInfo).first?.split(separator: ":", maxSplits: 1).map(String.init) {
        try check(
          parts.count == 2
            ? unsafe natsOptions_SetUserInfo(pointer, parts[0], parts[1])
            : unsafe natsOptions_SetToken(pointer, parts[0]))
      }
      if !options.discoversServers { try check(unsafe natsOptions_SetIgnoreDiscoveredServers(pointer, true)) }
      if let token = options.token { try check(unsafe natsOptions_SetToken(pointer, token)) }
      if let file = options.credentialsFile {
        try Self.checkReadable(file, "credentials")
        try check(unsafe natsOptions_SetUserCredentialsFromFiles(pointer, file, nil))
      }
      if options.tls != nil || servers.contains(where: \.isEncrypted) {
        try check(unsafe natsOptions_SetSecure(pointer, true))
      }
      if let tls = options.tls { try set(tls) }
    }

    private func set(_ tls: Cluster.TLS) throws(ImmutaError) {
      if let file = tls.certificateAuthoritiesFile {
        try Self.checkReadable(file, "certificates of authorities")
        if unsafe natsOptions_LoadCATrustedCertificates(pointer, file) != NATS_OK {
          throw .invalidConfiguration("\(file) holds no certificates of authorities: it must be in PEM")
        }
      }
      switch (tls.certificateFile, tls.keyFile) {
      case (nil, nil): break
      case (let certificate?, let key?):
        try Self.checkReadable(certificate, "certificate")
        try Self.checkReadable(key, "key")
        if unsafe natsOptions_LoadCertificatesChain(pointer, certificate, key) != NATS_OK {
          throw .invalidConfiguration("\(certificate) and \(key) are no certificate with its key: both must be in PEM")
        }
      case (nil, _): throw .invalidConfiguration("a key without a certificate: set certificateFile, too")
      case (_, nil): throw .invalidConfiguration("a certificate without a key: set keyFile, too")
      }
    }

    /// The library says of a file that it cannot read only that connecting failed.
    private static func checkReadable(_ path: String, _ what: String) throws(ImmutaError) {
      guard unsafe access(path, R_OK) != 0 else { return }
      throw .invalidConfiguration(
        "the file with the \(what) cannot be read: \(path) (\(unsafe String(cString: strerror(errno))))")
    }
  }
#endif
