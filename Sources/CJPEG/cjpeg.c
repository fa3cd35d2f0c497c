#include "cjpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

/// More scans than any picture has; a small file with many of them would run for hours.
enum { MOST_SCANS = 500 };

struct reader {
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf away;
  struct cjpeg_result *result;
  int status;
  int is_cut_short;
};

static struct reader *reader_of(j_common_ptr codec) { return (struct reader *)codec->err; }

static void leave(j_common_ptr codec, int status) {
  struct reader *reader = reader_of(codec);
  char text[JMSG_LENGTH_MAX];
  codec->err->format_message(codec, text);
  snprintf(reader->result->message, sizeof reader->result->message, "%s", text);
  reader->status = status;
  longjmp(reader->away, 1);
}

static void fail(j_common_ptr codec) {
  switch (codec->err->msg_code) {
  case JERR_SOF_UNSUPPORTED:
  case JERR_BAD_PRECISION:
  case JERR_EMPTY_IMAGE:
  case JERR_ARITH_NOTIMPL:
  case JERR_NOT_COMPILED:
  case JERR_CCIR601_NOTIMPL:
  case JERR_CONVERSION_NOTIMPL:
  case JERR_FRACT_SAMPLE_NOTIMPL: leave(codec, CJPEG_UNSUPPORTED); break;
  default: leave(codec, CJPEG_DAMAGED);
  }
}

static void warn(j_common_ptr codec, int level) {
  if (level >= 0) return; // a trace, not a warning
  struct reader *reader = reader_of(codec);
  unsigned *notes = &reader->result->notes;
  switch (codec->err->msg_code) {
  case JWRN_EXTRANEOUS_DATA: *notes |= CJPEG_STRAY_BYTES; break;
  case JWRN_NOT_SEQUENTIAL: *notes |= CJPEG_SCAN_PARAMETERS; break;
  case JWRN_JFIF_MAJOR: *notes |= CJPEG_JFIF_REVISION; break;
  case JWRN_BOGUS_PROGRESSION: *notes |= CJPEG_PROGRESSION; break;
  case JWRN_ADOBE_XFORM: *notes |= CJPEG_ADOBE; break;
  case JWRN_JPEG_EOF: reader->is_cut_short = 1; break;
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_MUST_RESYNC: leave(codec, CJPEG_DAMAGED); break;
  default: {
    // Codes that depend on how the library was built, such as that of arithmetic coding.
    char text[JMSG_LENGTH_MAX];
    codec->err->format_message(codec, text);
    if (strncmp(text, "Corrupt", 7) == 0) leave(codec, CJPEG_DAMAGED);
    *notes |= CJPEG_OTHER;
  }
  }
}

static void say_nothing(j_common_ptr codec) { (void)codec; }

static void watch(j_common_ptr codec) {
  j_decompress_ptr decoder = (j_decompress_ptr)codec;
  if (codec->is_decompressor && decoder->input_scan_number > MOST_SCANS) {
    struct reader *reader = reader_of(codec);
    snprintf(reader->result->message, sizeof reader->result->message, "it has more than %d scans",
             MOST_SCANS);
    reader->status = CJPEG_UNSUPPORTED;
    longjmp(reader->away, 1);
  }
}

/// Whether all that the scans can tell was there when the file ended without its last marker.
static int has_all_scans(j_decompress_ptr decoder) {
  if (!jpeg_has_multiple_scans(decoder)) return 1;
  if (!decoder->progressive_mode || decoder->coef_bits == NULL) return 0;
  for (int component = 0; component < decoder->num_components; component++)
    for (int i = 0; i < DCTSIZE2; i++)
      if (decoder->coef_bits[component][i] != 0) return 0;
  return 1;
}

int cjpeg_read(const unsigned char *bytes, size_t count, unsigned char *pixels, size_t capacity,
               struct cjpeg_result *result) {
  struct reader reader;
  struct jpeg_decompress_struct decoder;
  memset(&reader, 0, sizeof reader);
  memset(result, 0, sizeof *result);
  reader.result = result;
  decoder.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = fail;
  reader.errors.emit_message = warn;
  reader.errors.output_message = say_nothing;
  reader.progress.progress_monitor = watch;
  if (setjmp(reader.away)) {
    jpeg_destroy_decompress(&decoder);
    return reader.status;
  }
  jpeg_create_decompress(&decoder);
  decoder.progress = &reader.progress;
  jpeg_mem_src(&decoder, bytes, count);
  jpeg_read_header(&decoder, TRUE);
  result->width = decoder.image_width;
  result->height = decoder.image_height;
  result->channels =
      decoder.jpeg_color_space == JCS_CMYK || decoder.jpeg_color_space == JCS_YCCK ? 4 : 3;
  if (pixels != NULL) {
    decoder.out_color_space = result->channels == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&decoder);
    size_t row = (size_t)result->width * (size_t)result->channels;
    if (capacity / row < result->height) {
      snprintf(result->message, sizeof result->message, "its size changed");
      reader.status = CJPEG_DAMAGED;
      longjmp(reader.away, 1);
    }
    while (decoder.output_scanline < decoder.output_height) {
      JSAMPROW line = pixels + row * decoder.output_scanline;
      jpeg_read_scanlines(&decoder, &line, 1);
    }
    int is_whole = has_all_scans(&decoder);
    jpeg_finish_decompress(&decoder);
    // A file may lack the last marker, but not a part of it.
    if (reader.is_cut_short) {
      if (!is_whole || bytes[count - 1] == 0xFF) {
        snprintf(result->message, sizeof result->message, "its end is missing");
        reader.status = CJPEG_DAMAGED;
        longjmp(reader.away, 1);
      }
      result->notes |= CJPEG_NO_END;
    }
  }
  jpeg_destroy_decompress(&decoder);
  return CJPEG_READ;
}
