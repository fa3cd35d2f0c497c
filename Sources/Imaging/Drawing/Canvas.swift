import CCairo
import Files
import Foundation

/// A picture to draw on, by Cairo.
///
/// Lengths are in pixels, (0, 0) is the top left corner.
public final class Canvas {
  /// The version of Cairo that was found.
  static var library: String { String(cString: cairo_version_string()) }

  private let surface: OpaquePointer
  private let context: OpaquePointer
  /// The columns and rows.
  public let size: Size

  /// A canvas of one colour, at most 32,767 pixels a side, which is Cairo's limit.
  public init(_ size: Size, background: Color = Color(255, 255, 255)) {
    Self.findFonts
    self.size = size
    surface = cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, Int32(size.width), Int32(size.height))
    context = cairo_create(surface)
    set(background)
    cairo_paint(context)
    cairo_select_font_face(
      context, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL)
  }

  /// Lets Fontconfig read the program's own list of fonts where the system has none.
  private static let findFonts: Void = {
    let own = ResourceFolders.path("share/fonts/fonts.conf")
    if let own, !FileSystem.exists("/etc/fonts/fonts.conf") { setenv("FONTCONFIG_FILE", own, 0) }
  }()

  deinit {
    cairo_destroy(context)
    cairo_surface_destroy(surface)
  }

  private func set(_ color: Color, _ opacity: Double = 1) {
    cairo_set_source_rgba(
      context, Double(color.red) / 255, Double(color.green) / 255, Double(color.blue) / 255,
      opacity)
  }

  /// Fills a rectangle; `opacity` is what it covers of what is there, 0 to 1.
  public func fill(
    x: Double, y: Double, width: Double, height: Double, _ color: Color, opacity: Double = 1
  ) {
    set(color, opacity)
    cairo_rectangle(context, x, y, width, height)
    cairo_fill(context)
  }

  /// Draws a line through points.
  public func line(
    _ points: [(x: Double, y: Double)], _ color: Color, width: Double = 1, dashed: Bool = false
  ) {
    guard let first = points.first else { return }
    set(color)
    cairo_set_line_width(context, width)
    cairo_set_dash(context, [6, 4], dashed ? 2 : 0, 0)
    cairo_move_to(context, first.x, first.y)
    for point in points.dropFirst() { cairo_line_to(context, point.x, point.y) }
    cairo_stroke(context)
  }

  /// Writes text whose baseline begins at (x, y).
  public func text(
    _ text: String, x: Double, y: Double, size: Double = 12, _ color: Color = Color(20, 20, 20)
  ) {
    set(color)
    cairo_set_font_size(context, size)
    cairo_move_to(context, x, y)
    cairo_show_text(context, text)
  }

  /// Draws the edge of a rectangle.
  public func frame(x: Double, y: Double, width: Double, height: Double) {
    let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    line(corners.map { (x: $0.0, y: $0.1) }, Color(60, 60, 60))
  }

  /// Writes text whose middle is at `centerX`; `upwards` turns it by a quarter around that point.
  public func text(
    _ text: String, centerX: Double, y: Double, size: Double = 12,
    _ color: Color = Color(20, 20, 20), upwards: Bool = false
  ) {
    let half = width(of: text, size: size) / 2
    cairo_save(context)
    cairo_translate(context, centerX, y)
    if upwards { cairo_rotate(context, -.pi / 2) }
    self.text(text, x: -half, y: 0, size: size, color)
    cairo_restore(context)
  }

  /// Writes text that ends at `rightX`.
  public func text(
    _ text: String, rightX: Double, y: Double, size: Double = 12,
    _ color: Color = Color(20, 20, 20)
  ) {
    self.text(text, x: rightX - width(of: text, size: size), y: y, size: size, color)
  }

  /// The width of text in pixels.
  public func width(of text: String, size: Double = 12) -> Double {
    cairo_set_font_size(context, size)
    var extents = cairo_text_extents_t()
    cairo_text_extents(context, text, &extents)
    return extents.x_advance
  }

  /// Copies a picture to (x, y); what does not fit is cut off.
  public func draw(_ image: Image, x: Int, y: Int) {
    cairo_surface_flush(surface)
    guard let data = cairo_image_surface_get_data(surface) else { return }
    let stride = Int(cairo_image_surface_get_stride(surface))
    let source = image.rgb
    for row in 0..<source.height where (0..<size.height).contains(y + row) {
      for column in 0..<source.width where (0..<size.width).contains(x + column) {
        let from = 3 * (row * source.width + column)
        let to = (y + row) * stride + 4 * (x + column)
        // Cairo's words are 0x00RRGGBB in the machine's order.
        let word =
          UInt32(source.pixels[from]) << 16 | UInt32(source.pixels[from + 1]) << 8
          | UInt32(source.pixels[from + 2])
        UnsafeMutableRawPointer(data).storeBytes(of: word, toByteOffset: to, as: UInt32.self)
      }
    }
    cairo_surface_mark_dirty(surface)
  }

  /// What has been drawn.
  public var image: Image {
    cairo_surface_flush(surface)
    var pixels = [UInt8](repeating: 0, count: size.width * size.height * 3)
    if let data = cairo_image_surface_get_data(surface) {
      let stride = Int(cairo_image_surface_get_stride(surface))
      for y in 0..<size.height {
        for x in 0..<size.width {
          let word = UnsafeRawPointer(data).load(
            fromByteOffset: y * stride + 4 * x, as: UInt32.self)
          let to = 3 * (y * size.width + x)
          pixels[to] = UInt8(truncatingIfNeeded: word >> 16)
          pixels[to + 1] = UInt8(truncatingIfNeeded: word >> 8)
          pixels[to + 2] = UInt8(truncatingIfNeeded: word)
        }
      }
    }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }
}
