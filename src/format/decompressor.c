#include "format/compress.h"

#include "base/error.h"

#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zstd.h>

#define INPUT_SIZE ((size_t) 256 * 1024)
#define MAGIC_SIZE 4

struct Decompressor {
    ByteSource source;
    ByteSource *raw;
    Compression kind;
    uint64_t left; /* of the limit */
    uint64_t limit;
    uint8_t *input;
    size_t at, filled; /* in input */
    bool ended;        /* raw has no more */
    bool inside;       /* a member or frame has begun and not ended */
    bool done;         /* gzip: only padding follows */
    struct inflate_state *inflate;
    ZSTD_DCtx *zstd;
};

static bool fail(Decompressor *decompressor, const char *why, GError **error)
{
    static const char *const names[] = {"plain", "gzip", "zstd"};
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s stream: %s",
                names[decompressor->kind], why);
    return false;
}

/* Fills the input when it is empty; false with an error only. */
static bool fill(Decompressor *decompressor, GError **error)
{
    if (decompressor->at < decompressor->filled || decompressor->ended)
        return true;
    ByteSource *raw = decompressor->raw;
    ssize_t n = raw->read(raw, decompressor->input, INPUT_SIZE, error);
    if (n < 0)
        return false;
    decompressor->at = 0;
    decompressor->filled = (size_t) n;
    decompressor->ended = n == 0;
    return true;
}

static size_t available(const Decompressor *decompressor)
{
    return decompressor->filled - decompressor->at;
}

/* One step of inflate: bytes produced, or -1. A gzip file may hold several members, and zeros
 * behind the last. */
static ssize_t step_gzip(Decompressor *decompressor, void *buffer, size_t size, GError **error)
{
    struct inflate_state *state = decompressor->inflate;
    if (!decompressor->inside) {
        if (decompressor->done || decompressor->input[decompressor->at] == 0) {
            decompressor->done = true;
            decompressor->at = decompressor->filled;
            return 0;
        }
        isal_inflate_reset(state);
        state->crc_flag = ISAL_GZIP;
        decompressor->inside = true;
    }
    state->next_in = decompressor->input + decompressor->at;
    state->avail_in = (uint32_t) available(decompressor);
    state->next_out = buffer;
    state->avail_out = (uint32_t) MIN(size, (size_t) 1 << 30);
    uint32_t room = state->avail_out;
    int status = isal_inflate(state);
    decompressor->at = decompressor->filled - state->avail_in;
    if (status != ISAL_DECOMP_OK && status != ISAL_END_INPUT) {
        fail(decompressor, status == ISAL_INCORRECT_CHECKSUM ? "wrong checksum" : "malformed",
             error);
        return -1;
    }
    if (state->block_state == ISAL_BLOCK_FINISH)
        decompressor->inside = false;
    return (ssize_t) (room - state->avail_out);
}

static ssize_t step_zstd(Decompressor *decompressor, void *buffer, size_t size, GError **error)
{
    ZSTD_inBuffer in = {decompressor->input, decompressor->filled, decompressor->at};
    ZSTD_outBuffer out = {buffer, size, 0};
    size_t status = ZSTD_decompressStream(decompressor->zstd, &out, &in);
    decompressor->at = in.pos;
    if (ZSTD_isError(status)) {
        fail(decompressor, ZSTD_getErrorName(status), error);
        return -1;
    }
    decompressor->inside = status != 0;
    return (ssize_t) out.pos;
}

static ssize_t step_plain(Decompressor *decompressor, void *buffer, size_t size)
{
    size_t n = MIN(size, available(decompressor));
    memcpy(buffer, decompressor->input + decompressor->at, n);
    decompressor->at += n;
    return (ssize_t) n;
}

static ssize_t step(Decompressor *decompressor, void *buffer, size_t size, GError **error)
{
    switch (decompressor->kind) {
    case COMPRESSION_GZIP:
        return step_gzip(decompressor, buffer, size, error);
    case COMPRESSION_ZSTD:
        return step_zstd(decompressor, buffer, size, error);
    case COMPRESSION_NONE:
        break;
    }
    return step_plain(decompressor, buffer, size);
}

static ssize_t decompressor_read(ByteSource *source, void *buffer, size_t size, GError **error)
{
    Decompressor *decompressor = (Decompressor *) source;
    for (;;) {
        if (!fill(decompressor, error))
            return -1;
        /* Output may still be held back inside when the input has ended. */
        bool starved = decompressor->ended && available(decompressor) == 0;
        if (starved && !decompressor->inside)
            return 0;
        ssize_t n = step(decompressor, buffer, size, error);
        if (n < 0)
            return -1;
        if (n == 0 && starved) {
            fail(decompressor, "ends too early", error);
            return -1;
        }
        if ((uint64_t) n > decompressor->left) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "expands to more than %" G_GUINT64_FORMAT " bytes", decompressor->limit);
            return -1;
        }
        decompressor->left -= (uint64_t) n;
        if (n > 0)
            return n;
    }
}

static Compression sniff(const uint8_t *magic, size_t length)
{
    static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    if (length >= sizeof gzip && memcmp(magic, gzip, sizeof gzip) == 0)
        return COMPRESSION_GZIP;
    if (length >= sizeof zstd && memcmp(magic, zstd, sizeof zstd) == 0)
        return COMPRESSION_ZSTD;
    return COMPRESSION_NONE;
}

Decompressor *decompressor_new(ByteSource *raw, uint64_t limit, GError **error)
{
    g_autoptr(Decompressor) decompressor = g_new0(Decompressor, 1);
    *decompressor = (Decompressor){
        .source = {decompressor_read},
        .raw = raw,
        .left = limit,
        .limit = limit,
        .input = g_malloc(INPUT_SIZE),
    };
    ssize_t n = source_read_full(raw, decompressor->input, MAGIC_SIZE, error);
    if (n < 0)
        return NULL;
    decompressor->filled = (size_t) n;
    decompressor->kind = sniff(decompressor->input, (size_t) n);
    if (decompressor->kind == COMPRESSION_GZIP) {
        decompressor->inflate = g_new(struct inflate_state, 1);
        isal_inflate_init(decompressor->inflate);
    } else if (decompressor->kind == COMPRESSION_ZSTD) {
        decompressor->zstd = ZSTD_createDCtx();
        g_assert(decompressor->zstd != NULL);
        /* 128 MiB of window: what zstd's own tool accepts. */
        ZSTD_DCtx_setParameter(decompressor->zstd, ZSTD_d_windowLogMax, 27);
    }
    return g_steal_pointer(&decompressor);
}

Compression decompressor_kind(const Decompressor *decompressor)
{
    return decompressor->kind;
}

ByteSource *decompressor_source(Decompressor *decompressor)
{
    return &decompressor->source;
}

void decompressor_free(Decompressor *decompressor)
{
    if (decompressor == NULL)
        return;
    g_free(decompressor->input);
    g_free(decompressor->inflate);
    ZSTD_freeDCtx(decompressor->zstd);
    g_free(decompressor);
}
