import Foundation
import Immuta
import ImmutaLogStore

/// What can happen to a cart: the only thing that is stored.
enum Event: Codable {
  case added(item: String)
  case removed(item: String)
  case ordered
}

/// Event sourcing: a cart's state is what its events come to.
@main struct EventSourcing {
  static func main() async throws {
    // An order that was acknowledged survives a power cut.
    let store = try LogStore(
      directory: "carts/", partitions: 8, configuration: Storage.Configuration(durability: .synced))
    defer { store.close() }
    try await record([.added(item: "book"), .added(item: "lamp"), .removed(item: "book")], of: "alice", in: store)
    try await record([.added(item: "pen"), .ordered], of: "bob", in: store)

    let (alice, bob) = (try await items(of: "alice", in: store), try await items(of: "bob", in: store))
    precondition(alice == ["lamp"] && bob == [])
    print("event sourcing: alice's cart holds a lamp, bob's was ordered")
  }

  /// All of the events or none: a transaction of the partition that the cart is in.
  static func record(_ events: [Event], of cart: String, in store: LogStore) async throws {
    let partition = try store.partition(store.partition(of: cart))
    try await partition.log.transaction { transaction in
      for event in events { try await transaction.append(JSONEncoder().encode(Entry(cart: cart, event: event))) }
    }
  }

  /// Replays the cart's partition; those of other carts are not looked at.
  static func items(of cart: String, in store: LogStore) async throws -> [String] {
    var items: [String] = []
    var stream = store.stream(partition: store.partition(of: cart))
    while let message = try await stream.next(timeout: .zero) {
      let entry = try JSONDecoder().decode(Entry.self, from: Data(message.payload))
      guard entry.cart == cart else { continue }
      switch entry.event {
      case .added(let item): items.append(item)
      case .removed(let item): items.removeAll { $0 == item }
      case .ordered: items = []
      }
    }
    return items
  }

  struct Entry: Codable {
    var cart: String
    var event: Event
  }
}
