#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaTestSupport
  import Testing

  @Suite(.enabled(if: TestCluster.isThere, "\(TestCluster.reason)"), .serialized)
  struct PromiseTests {
    @Test(arguments: LogPromise.allCases)
    func aLogOnAClusterKeeps(_ promise: LogPromise) async throws {
      let cluster = try await TestCluster.connect()
      do {
        try await promise.check(on: ClusterPlace(cluster: cluster))
      } catch {
        await cluster.close()
        throw error
      }
      await cluster.close()
    }
  }
#endif
