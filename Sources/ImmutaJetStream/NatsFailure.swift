#if JetStream
  import CImmutaNats
  import Immuta

  /// The C library could not do what it was asked to.
  struct NatsFailure: Error, CustomStringConvertible {
    let status: natsStatus

    init(_ status: natsStatus) { self.status = status }

    /// The message has more bytes than a server takes.
    var isTooLarge: Bool { status == NATS_MAX_PAYLOAD }

    var description: String {
      unsafe natsStatus_GetText(status).map { unsafe String(cString: $0) } ?? "status \(status.rawValue)"
    }

    /// Why no connection came about.
    ///
    /// - Parameter hasCertificate: whether this client had a certificate to show.
    static func connecting(
      _ status: natsStatus, to servers: [ServerAddress], hasCertificate: Bool = true
    ) -> ImmutaError {
      let places = servers.map(\.shown).joined(separator: ", ")
      switch status {
      case NATS_CONNECTION_AUTH_FAILED, NATS_NOT_PERMITTED:
        return .invalidConfiguration(
          "\(places) refused to let this client in: check the user and the password, the token, or the file with credentials"
        )
      case NATS_SECURE_CONNECTION_WANTED:
        return .invalidConfiguration(
          "\(places) has no encryption, and it was asked for: write nats:// and leave out tls")
      case NATS_SECURE_CONNECTION_REQUIRED:
        return .invalidConfiguration(
          "\(places) wants encryption: write tls://, and set tls where its certificate is your own")
      case NATS_SSL_ERROR:
        return .invalidConfiguration(
          "no encrypted connection to \(places): check the certificates, the name in the server's, and the client's own"
        )
      // What it wants of the client's certificate shows only once the connection is encrypted.
      case NATS_PROTOCOL_ERROR where servers.contains(where: \.isEncrypted):
        let reason =
          hasCertificate
          ? "it may not accept this client's certificate: somebody that the server trusts must have signed it"
          : "it may want this client's certificate, and there is none"
        return .invalidConfiguration("\(places) ended the connection as soon as it was encrypted: \(reason)")
      case NATS_NO_SERVER, NATS_TIMEOUT, NATS_IO_ERROR, NATS_CONNECTION_CLOSED, NATS_STALE_CONNECTION:
        return .unavailable("no server answers at \(places)")
      default:
        return .unavailable("connecting to \(places) failed: \(NatsFailure(status))")
      }
    }
  }
#endif
