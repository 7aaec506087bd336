/* The parts of container/ that need no process: routes, shares, figures, logs, specs, control
 * messages. */
#include "base/error.h"
#include "base/file.h"
#include "container/control.h"
#include "container/detached.h"
#include "container/histogram.h"
#include "container/log_reader.h"
#include "container/log_writer.h"
#include "container/port.h"
#include "container/route.h"
#include "container/unit_spec.h"
#include "format/json.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char *scratch;

/* -- routes ------------------------------------------------------------------------------------ */

typedef struct {
    const char *label, *json;
    const char *message; /* NULL: parses and formats to the same text */
} RouteRow;

#define BACKEND(unit, port, weight)                                                                \
    "{\"generation\":\"7\",\"unit\":\"" unit "\",\"port\":" port ",\"weight\":" weight "}"
#define ROUTE(backends) "{\"number\":3,\"slow_ms\":500,\"backends\":[" backends "]}"

static const RouteRow route_rows[] = {
    {"unit", ROUTE(BACKEND("web-7-1", "8000", "10000")), NULL},
    {"address", ROUTE(BACKEND("@127.0.0.1", "8000", "1000")), NULL},
    {"none", ROUTE(""), NULL},
    {"unit-with-slash", ROUTE(BACKEND("../x", "8000", "1")),
     "route: backend 1: 'unit' is missing or out of range"},
    {"host-name", ROUTE(BACKEND("@example.org", "8000", "1")),
     "route: backend 1: 'unit' is missing or out of range"},
    {"port", ROUTE(BACKEND("a", "8000", "1") "," BACKEND("b", "65536", "1")),
     "route: backend 2: 'port' is missing or out of range"},
    {"weight", ROUTE(BACKEND("a", "80", "10001")),
     "route: backend 1: 'weight' is missing or out of range"},
    {"number", "{\"number\":-1,\"backends\":[]}",
     "route: expected a number, slow_ms and at most 64 backends"},
};

static void test_route(const void *data)
{
    const RouteRow *row = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) json = json_parse("row", row->json, strlen(row->json), &error);
    g_assert_no_error(error);
    g_autoptr(Route) route = route_parse(json, &error);
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, row->message);
    if (route == NULL)
        return;
    g_autoptr(json_t) again = route_format(route);
    g_autofree char *text = json_compact(again);
    g_assert_cmpstr(text, ==, row->json);
}

typedef struct {
    const char *label;
    int weights[4];
    int except;
    int shares[4]; /* of 10000 */
} ShareRow;

static const ShareRow share_rows[] = {
    {"canary", {9000, 1000}, -1, {9000, 1000}},
    {"thirds", {3333, 3333, 3334}, -1, {3333, 3333, 3334}},
    {"one-in-ten-thousand", {9999, 1}, -1, {9999, 1}},
    {"not-of-the-total", {1, 1, 2}, -1, {2500, 2500, 5000}},
    {"drained", {0, 10000}, -1, {0, 10000}},
    {"without-the-first", {9000, 1000}, 0, {0, 10000}},
};

static void test_share(const void *data)
{
    const ShareRow *row = data;
    RouteShare shares[4] = {{0}};
    int seen[4] = {0}, worst = 0;
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        shares[i].weight = row->weights[i];
        sum += row->weights[i];
    }
    for (int n = 1; n <= 10000; n++) {
        int index = route_choose(shares, 4, row->except);
        g_assert_cmpint(index, >=, 0);
        seen[MAX(index, 0)]++;
        /* At no moment is a share more than one request from its due. */
        int due = (int) ((int64_t) n * row->weights[0] / sum);
        if (row->except < 0)
            worst = MAX(worst, ABS(seen[0] - due));
    }
    for (int i = 0; i < 4; i++)
        g_assert_cmpint(seen[i], ==, row->shares[i]);
    g_assert_cmpint(worst, <=, 1);
}

static void test_no_share(void)
{
    RouteShare shares[2] = {{0}};
    g_assert_cmpint(route_choose(shares, 2, -1), ==, -1);
    g_assert_cmpint(route_choose(NULL, 0, -1), ==, -1);
    shares[0].weight = 5;
    g_assert_cmpint(route_choose(shares, 2, 0), ==, -1);
}

/* -- figures ----------------------------------------------------------------------------------- */

static void test_histogram(void)
{
    g_autofree Histogram *histogram = g_new0(Histogram, 1);
    g_assert_cmpint(histogram_quantile(histogram, 0.5), ==, 0);
    for (int i = 1; i <= 1000; i++)
        histogram_add(histogram, i * 1000);
    int64_t p50 = histogram_quantile(histogram, 0.5);
    int64_t p99 = histogram_quantile(histogram, 0.99);
    g_assert_cmpint(p50, >=, 500000);
    g_assert_cmpint(p50, <=, 532000);
    g_assert_cmpint(p99, >=, 990000);
    g_assert_cmpint(p99, <=, 1060000);
    histogram_add(histogram, -5);
    histogram_add(histogram, INT64_MAX);
    g_assert_cmpint(histogram->count, ==, 1002);
    g_assert_cmpint(histogram_quantile(histogram, 0), ==, 0);
}

/* -- logs -------------------------------------------------------------------------------------- */

static char *fresh_folder(const char *name)
{
    char *folder = g_build_filename(scratch, name, NULL);
    g_assert_true(file_make_folders(folder, 0700, NULL));
    return folder;
}

static void feed(LogWriter *writer, LogStream stream, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(log_writer_feed(writer, stream, text, strlen(text), &error));
    g_assert_no_error(error);
}

static void test_log_lines(void)
{
    g_autofree char *folder = fresh_folder("lines");
    g_autoptr(LogWriter) writer = log_writer_open(folder, 1 << 20, 3, NULL);
    feed(writer, LOG_STDOUT, "one\ntw");
    feed(writer, LOG_STDERR, "er\"r\t\x01\xff\xc3\xa9\n");
    feed(writer, LOG_STDOUT, "o\nrest");
    g_assert_true(log_writer_flush(writer, NULL));

    g_autoptr(GPtrArray) lines = log_reader_lines(folder, -1, NULL);
    static const char *const expected[] = {"one\n", "er\"r\t\x01\xef\xbf\xbd\xc3\xa9\n", "two\n",
                                           "rest"};
    g_assert_cmpuint(lines->len, ==, 4);
    for (guint i = 0; i < MIN(lines->len, 4); i++) {
        const char *line = g_ptr_array_index(lines, i);
        g_auto(LogRecord) record = {0};
        g_assert_true(log_reader_parse(line, strlen(line), &record));
        g_assert_cmpstr(record.text, ==, expected[i]);
        g_assert_cmpstr(record.stream, ==, i == 1 ? "stderr" : "stdout");
    }
    g_autoptr(GPtrArray) last = log_reader_lines(folder, 1, NULL);
    g_assert_cmpuint(last->len, ==, 1);
}

static void test_log_split(void)
{
    g_autofree char *folder = fresh_folder("split");
    g_autoptr(LogWriter) writer = log_writer_open(folder, 1 << 20, 3, NULL);
    g_autofree char *text = g_strnfill(LOG_LINE_LIMIT + 10, 'x');
    feed(writer, LOG_STDOUT, text);
    feed(writer, LOG_STDOUT, "\n");
    g_autoptr(GPtrArray) lines = log_reader_lines(folder, -1, NULL);
    g_assert_cmpuint(lines->len, ==, 2);
    g_autofree char *all = log_reader_text(folder, 1 << 20, NULL);
    g_assert_cmpuint(strlen(all), ==, LOG_LINE_LIMIT + 11);
}

static void test_log_rotation(void)
{
    g_autofree char *folder = fresh_folder("rotation");
    g_autoptr(LogWriter) writer = log_writer_open(folder, 4096, 3, NULL);
    for (int i = 0; i < 1000; i++) {
        g_autofree char *line = g_strdup_printf("line %d\n", i);
        feed(writer, LOG_STDOUT, line);
    }
    static const char *const names[] = {"log", "log.1", "log.2", "log.3"};
    for (int i = 0; i < 4; i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        size_t length = 0;
        g_autofree char *text = file_read(AT_FDCWD, path, 1 << 20, &length, NULL);
        g_assert_cmpint(text != NULL, ==, i < 3);
        g_assert_cmpuint(length, <=, 4096);
    }
    g_autofree char *all = log_reader_text(folder, 1 << 20, NULL);
    g_assert_true(g_str_has_suffix(all, "line 998\nline 999\n"));
}

/* -- specs ------------------------------------------------------------------------------------- */

static void test_spec(void)
{
    static const char *const layers[] = {"/b", "/a", NULL};
    static const char *const argv[] = {"/bin/x", "\xff y", "", NULL};
    static const char *const environment[] = {"A=1", NULL};
    const SandboxMount mounts[] = {{.kind = SANDBOX_MOUNT_BIND, .source = "/v", .target = "/data"}};
    g_autoptr(json_t) labels = json_pack("{s:s}", "environment", "staging");
    g_autoptr(json_t) secrets = json_object();
    json_object_set_new(secrets, "KEY", json_stringn_nocheck("s\0\xfe", 3));
    UnitSpec spec = {.id = "web-1",
                     .labels = labels,
                     .layers = layers,
                     .argv = argv,
                     .environment = environment,
                     .mounts = mounts,
                     .mount_count = 1,
                     .secrets = secrets,
                     .limits = {.cpus = 0.5, .memory = 1 << 20},
                     .uid = 7};
    g_autoptr(GError) error = NULL;
    json_t *json = unit_spec_format(&spec);
    g_autoptr(json_t) shown = unit_spec_without_secrets(json);
    g_autofree char *text = json_compact(shown);
    g_assert_null(strstr(text, "\"argv\""));
    g_assert_null(strstr(text, "\"environment\":["));
    g_assert_nonnull(strstr(text, "\"secrets\":[\"KEY\"]"));

    g_autoptr(UnitSpecCopy) copy = unit_spec_parse(json, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(copy->spec.argv[1], ==, "\xff y");
    g_assert_cmpstr(copy->spec.argv[2], ==, "");
    g_assert_null(copy->spec.argv[3]);
    g_assert_cmpstr(copy->spec.layers[0], ==, "/b");
    g_assert_cmpstr(copy->spec.mounts[0].target, ==, "/data");
    g_assert_cmpfloat(copy->spec.limits.cpus, ==, 0.5);
    g_assert_cmpint(copy->spec.uid, ==, 7);
    g_assert_cmpint(copy->spec.stop_signal, ==, SIGTERM);
    g_assert_cmpint(copy->spec.restart_limit, ==, 5);
    size_t length = 0;
    g_autofree char *secret = unit_spec_secret(copy, "KEY", &length);
    g_assert_cmpmem(secret, length, "s\0\xfe", 3);
}

typedef struct {
    const char *label, *id;
    bool good;
} IdRow;

static const IdRow id_rows[] = {
    {"plain", "orders-staging-7-1", true},
    {"empty", "", false},
    {"upper", "Orders", false},
    {"dots", "..", false},
    {"slash", "a/b", false},
    {"option", "-a", false},
    {"unicode", "\xc3\xa9", false},
    {"digit-first", "7", true},
};

static void test_id(const void *data)
{
    const IdRow *row = data;
    g_assert_cmpint(unit_id_check(row->id, NULL), ==, row->good);
}

/* -- control ----------------------------------------------------------------------------------- */

static json_t *answer(void *self, const json_t *request, ControlFds *fds, GError **error)
{
    const char *op = json_get_string(request, "op");
    if (g_strcmp0(op, "echo") == 0)
        return json_pack("{s:O}", "said", json_object_get(request, "say"));
    if (g_strcmp0(op, "fd") == 0) {
        fds->fds[fds->fd_count++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return json_object();
    }
    if (g_strcmp0(op, "slow") == 0)
        g_usleep(300000);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "no '%s' here", op);
    return NULL;
}

static void test_control(void)
{
    /* Deeper than sun_path reaches. */
    g_autofree char *deep = g_strnfill(120, 'd');
    g_autofree char *folder = fresh_folder(deep);
    g_autoptr(GError) error = NULL;
    g_assert_null(
        control_call(folder, "sock", json_pack("{s:s}", "op", "echo"), 1000, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
    g_clear_error(&error);

    g_autoptr(ControlServer) server = control_server_new(folder, "sock", answer, NULL, &error);
    g_assert_no_error(error);
    g_autofree char *long_text = g_strnfill(200000, 'x');
    g_autoptr(json_t) said =
        control_call(folder, "sock", json_pack("{s:s, s:s}", "op", "echo", "say", long_text), 5000,
                     NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(json_get_string(said, "said"), ==, long_text);

    ControlFds fds;
    g_autoptr(json_t) got =
        control_call(folder, "sock", json_pack("{s:s}", "op", "fd"), 5000, &fds, &error);
    g_assert_nonnull(got);
    g_assert_cmpuint(fds.fd_count, ==, 1);
    char byte;
    g_assert_cmpint((int) read(fds.fds[0], &byte, 1), ==, 0);
    close(fds.fds[0]);

    g_assert_null(control_call(folder, "sock", json_pack("{s:s}", "op", "x"), 5000, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_assert_cmpstr(error->message, ==, "no 'x' here");
    g_clear_error(&error);
    g_assert_null(control_call(folder, "sock", json_pack("{s:s}", "op", "slow"), 50, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
}

static void test_identity(void)
{
    g_autoptr(json_t) ours = detached_identity(getpid());
    g_assert_cmpint(detached_find(ours), ==, getpid());
    json_object_set_new(ours, "start", json_integer(json_get_integer(ours, "start", 0) + 1));
    g_assert_cmpint(detached_find(ours), ==, 0);
    g_assert_cmpint(detached_find(NULL), ==, 0);
}

static void test_port(const void *data)
{
    g_autoptr(GError) error = NULL;
    int fd = port_bind(data, &error);
    g_assert_cmpint(fd, ==, -1);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    signal(SIGPIPE, SIG_IGN);
    scratch = file_make_temporary_folder(g_get_tmp_dir(), "slipway-container", NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(route_rows); i++) {
        g_autofree char *path = g_strdup_printf("/container/route/%s", route_rows[i].label);
        g_test_add_data_func(path, &route_rows[i], test_route);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(share_rows); i++) {
        g_autofree char *path = g_strdup_printf("/container/share/%s", share_rows[i].label);
        g_test_add_data_func(path, &share_rows[i], test_share);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(id_rows); i++) {
        g_autofree char *path = g_strdup_printf("/container/id/%s", id_rows[i].label);
        g_test_add_data_func(path, &id_rows[i], test_id);
    }
    g_test_add_func("/container/share/none", test_no_share);
    g_test_add_func("/container/histogram", test_histogram);
    g_test_add_func("/container/log/lines", test_log_lines);
    g_test_add_func("/container/log/split", test_log_split);
    g_test_add_func("/container/log/rotation", test_log_rotation);
    g_test_add_func("/container/spec", test_spec);
    g_test_add_func("/container/control", test_control);
    g_test_add_func("/container/identity", test_identity);
    g_test_add_data_func("/container/port/no-port", "127.0.0.1", test_port);
    g_test_add_data_func("/container/port/zero", "127.0.0.1:0", test_port);
    g_test_add_data_func("/container/port/name", "example.org:80", test_port);
    g_test_add_data_func("/container/port/rest", "127.0.0.1:80x", test_port);
    int status = g_test_run();
    file_remove_tree(AT_FDCWD, scratch, NULL);
    return status;
}
