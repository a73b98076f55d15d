#if JetStream
  import Immuta
  import Testing

  @testable import ImmutaJetStream

  @Suite struct ServerAddressTests {
    @Test(arguments: [
      ("nats://host:1", "host", 1, false), ("host", "host", 4222, false), ("tls://host", "host", 4222, true),
      ("nats://user:p@ss@host:7", "host", 7, false), ("nats://[::1]:8", "::1", 8, false),
      ("nats://token@10.0.0.1/", "10.0.0.1", 4222, false),
      ("NATS://host:65535", "host", 65535, false),
    ])
    func aURLIsTakenApart(_ text: String, _ host: String, _ port: UInt16, _ isEncrypted: Bool) throws {
      let address = try ServerAddress(text)
      #expect(address.host == host)
      #expect(address.port == port)
      #expect(address.isEncrypted == isEncrypted)
      #expect(!address.shown.contains("p@ss") && !address.shown.contains("token"))
    }

    @Test(arguments: [
      "http://host", "nats://", "nats://host:0", "nats://host:x", "nats://host:70000", "nats://a b", "nats://[::1",
      "nats://host/path", "nats://:4222",
    ])
    func whatIsNoServersURLIsRefused(_ text: String) {
      #expect { try ServerAddress(text) } throws: { error in
        guard let error = error as? ImmutaError, case .invalidConfiguration = error else { return false }
        return true
      }
    }

    @Test func aRefusalShowsNoPassword() {
      #expect { try ServerAddress("nats://user:secret@host:x") } throws: { !"\($0)".contains("secret") }
    }

    @Test func listsAreSeparatedByCommas() throws {
      let list = try ServerAddress.list(["nats://a, nats://b:1 ,", "b:1,c"])
      #expect(list.map(\.host) == ["a", "b", "c"])
      #expect(throws: ImmutaError.self) { try ServerAddress.list([" , "]) }
      #expect(throws: ImmutaError.self) { try ServerAddress.list([]) }
    }

    @Test func aServerThatOthersTellOfIsReachedAsTheyWere() throws {
      let known = try ServerAddress.list(["nats://a", "tls://user:pw@b:1"])
      let told = ServerAddress(toldOf: "nats://[::1]:7", by: known)
      #expect(told?.url == "tls://user:pw@[::1]:7" && told?.isEncrypted == true)
      #expect(ServerAddress(toldOf: "nats://c:7", by: [try ServerAddress("a")])?.url == "nats://c:7")
    }

    @Test func aServerIsKnownByItsPlace() throws {
      let address = try ServerAddress("nats://user:pw@host:1")
      #expect(address.isAt("nats://host:1"))
      #expect(!address.isAt("nats://host:2"))
    }
  }
#endif
