import Hummingbird
import NIOCore

/// The page's own files, which are part of the program.
struct PageFile: Sendable {
  let name: String
  let type: String
  let bytes: [UInt8]

  static let index = PageFile(name: "", type: "text/html; charset=utf-8", bytes: PackageResources.index_html)

  static let all: [PageFile] = [
    index,
    .style("style.css", PackageResources.style_css),
    .style("views.css", PackageResources.views_css),
    .script("app.js", PackageResources.app_js),
    .script("bytes.js", PackageResources.bytes_js),
    .script("charts.js", PackageResources.charts_js),
    .script("dom.js", PackageResources.dom_js),
    .script("health.js", PackageResources.health_js),
    .script("json.js", PackageResources.json_js),
    .script("keys.js", PackageResources.keys_js),
    .script("live.js", PackageResources.live_js),
    .script("overview.js", PackageResources.overview_js),
    .script("record.js", PackageResources.record_js),
    .script("records.js", PackageResources.records_js),
    .script("search.js", PackageResources.search_js),
    .script("server.js", PackageResources.server_js),
    .script("words.js", PackageResources.words_js),
    PageFile(name: "icon.svg", type: "image/svg+xml", bytes: PackageResources.icon_svg),
  ]

  private static func script(_ name: String, _ bytes: [UInt8]) -> PageFile {
    PageFile(name: name, type: "text/javascript; charset=utf-8", bytes: bytes)
  }

  private static func style(_ name: String, _ bytes: [UInt8]) -> PageFile {
    PageFile(name: name, type: "text/css; charset=utf-8", bytes: bytes)
  }

  func response() -> Response {
    Response(status: .ok, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
