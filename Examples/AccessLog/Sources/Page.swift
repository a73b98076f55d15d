import Hummingbird

/// Shows each event as a row. A browser reconnects on its own.
let page = Response(
  status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
  body: ResponseBody(byteBuffer: ByteBuffer(string: text)))

private let text = """
  <!doctype html>
  <title>Access log</title>
  <table><tbody></tbody></table>
  <script>
    const rows = document.querySelector('tbody')
    new EventSource('/events').onmessage = (event) => {
      const { method, path, status, agent } = JSON.parse(event.data)
      const row = rows.insertRow(0)
      for (const text of [event.lastEventId, status, method, path, agent]) {
        row.insertCell().textContent = text  // as text, never as HTML
      }
      if (rows.rows.length > 1000) rows.deleteRow(-1)
    }
  </script>
  """
