/*
 * The 82540EM: what a driver does with it, and what a hostile one might.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hw/net/e1000.h"
#include "hw/net/e1000_regs.h"
#include "net/net.h"
#include "tests/device/net_rig.h"

enum {
    TX_RING = 0x10000,
    RX_RING = 0x20000,
    TX_BUF = 0x100000,
    RX_BUF = 0x200000,
    RX_STRIDE = 0x1000,
    RING = 8, /* descriptors: the smallest that is possible */
};

static NetRig *r;
static unsigned tx_tail;
static uint8_t frame[NET_RIG_FRAME];

static const uint8_t our_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static void begin_rings(void)
{
    tx_tail = 0;
    net_rig_set_reg(r, TDBAL, TX_RING);
    net_rig_set_reg(r, TDLEN, RING * 16);
    net_rig_set_reg(r, TCTL, TCTL_EN);
    net_rig_set_reg(r, RDBAL, RX_RING);
    net_rig_set_reg(r, RDLEN, RING * 16);
    for (unsigned i = 0; i < RING; i++) {
        net_rig_store(r, RX_RING + 16 * i, RX_BUF + i * RX_STRIDE, 8);
        net_rig_store(r, RX_RING + 16 * i + 8, 0, 8);
    }
    net_rig_set_reg(r, RDT, RING - 1);
    net_rig_set_reg(r, RCTL, RCTL_EN | RCTL_BAM | RCTL_SECRC);
    net_rig_set_reg(r, IMS, 0xffffffff);
}

static void begin(void)
{
    r = net_rig_new(&e1000_class, "mac=52:54:00:12:34:56", 0);
    begin_rings();
}

static void end(void)
{
    net_rig_free(r);
}

static void put_desc(uint64_t first, uint32_t lower, uint32_t upper)
{
    uint64_t at = TX_RING + 16 * tx_tail;

    net_rig_store(r, at, first, 8);
    net_rig_store(r, at + 8, lower, 4);
    net_rig_store(r, at + 12, upper, 4);
    tx_tail = (tx_tail + 1) % RING;
}

static void kick(void)
{
    net_rig_set_reg(r, TDT, tx_tail);
}

static bool tx_is_done(NetRig *rig)
{
    return net_rig_reg(rig, TDH) == tx_tail;
}

static bool received(unsigned n)
{
    return net_rig_load(r, RX_RING + 16 * n + 12, 1) & RXD_DD;
}

static bool first_received(NetRig *rig)
{
    (void)rig;
    return received(0);
}

/* A TCP over IPv4 frame to us with LEN bytes of payload; its length. */
static uint32_t tcp_frame(uint8_t *out, uint32_t len)
{
    memset(out, 0, 54 + len);
    memcpy(out, our_mac, 6);
    memset(out + 6, 2, 6);
    memcpy(out + 12, "\x08\x00\x45", 3);
    out[16] = (uint8_t)((40 + len) >> 8);
    out[17] = (uint8_t)(40 + len);
    out[22] = 64;
    out[23] = 6;
    memset(out + 26, 10, 8);
    out[46] = 0x50;
    for (uint32_t i = 0; i < len; i++) {
        out[54 + i] = (uint8_t)i;
    }
    return 54 + len;
}

static void complete_sums(uint8_t *data, uint32_t len)
{
    NetHdr hdr;
    uint16_t sum;

    g_assert_true(net_gso_prepare(data, len, 1000, &hdr));
    sum = net_sum_fold(net_sum(0, data + hdr.csum_start, len - hdr.csum_start));
    memcpy(data + hdr.csum_start + hdr.csum_offset, &sum, 2);
}

/* ---- EEPROM and PHY ---- */

static void clock_bit(bool in)
{
    uint32_t v = EECD_REQ | EECD_CS | (in ? EECD_DI : 0);

    net_rig_set_reg(r, EECD, v);
    net_rig_set_reg(r, EECD, v | EECD_SK);
    net_rig_set_reg(r, EECD, v);
}

static uint16_t read_by_wire(unsigned address)
{
    uint32_t command = 6u << 6 | address;
    uint16_t word = 0;

    net_rig_set_reg(r, EECD, EECD_REQ);
    net_rig_set_reg(r, EECD, EECD_REQ | EECD_CS);
    for (int i = 8; i >= 0; i--) {
        clock_bit(command >> i & 1);
    }
    for (int i = 0; i < 16; i++) {
        net_rig_set_reg(r, EECD, EECD_REQ | EECD_CS | EECD_SK);
        word = (uint16_t)(word << 1 | !!(net_rig_reg(r, EECD) & EECD_DO));
        net_rig_set_reg(r, EECD, EECD_REQ | EECD_CS);
    }
    net_rig_set_reg(r, EECD, 0);
    return word;
}

static void test_eeprom_holds_the_address_and_sums_up(void)
{
    uint16_t sum = 0;

    begin();
    for (unsigned i = 0; i < 64; i++) {
        net_rig_set_reg(r, EERD, i << 8 | EERD_START);
        uint32_t v = net_rig_reg(r, EERD);
        g_assert_cmphex(v & EERD_DONE, ==, EERD_DONE);
        g_assert_cmphex(read_by_wire(i), ==, v >> 16);
        sum = (uint16_t)(sum + (v >> 16));
    }
    g_assert_cmphex(sum, ==, 0xbaba);
    g_assert_cmphex(read_by_wire(0), ==, 0x5452);
    end();
}

static uint16_t phy(unsigned reg)
{
    net_rig_set_reg(r, MDIC, reg << 16 | 1u << 21 | 2u << 26);
    return (uint16_t)net_rig_reg(r, MDIC);
}

static void test_phy_has_its_link_as_the_network_says(void)
{
    begin();
    g_assert_cmphex(phy(2), ==, 0x0141);
    g_assert_cmphex(phy(1) & 4, ==, 4);
    g_assert_cmphex(net_rig_reg(r, STATUS) & STATUS_LU, ==, STATUS_LU);
    net_rig_reg(r, ICR);
    g_assert_true(net_set_link("e1000.0", false, NULL));
    g_assert_cmphex(phy(1) & 4, ==, 0);
    g_assert_cmphex(net_rig_reg(r, ICR) & ICR_LSC, ==, ICR_LSC);
    g_assert_true(net_set_link("e1000.0", true, NULL));
    g_assert_cmphex(net_rig_reg(r, STATUS) & STATUS_LU, ==, STATUS_LU);
    net_rig_set_reg(r, MDIC, 1u << 16 | 5u << 21 | 2u << 26); /* another PHY address */
    g_assert_cmphex(net_rig_reg(r, MDIC) & MDIC_ERROR, ==, MDIC_ERROR);
    end();
}

/* ---- sending ---- */

static void test_a_frame_in_pieces_is_sent_as_one(void)
{
    uint32_t len;

    begin();
    len = tcp_frame(frame, 500);
    net_rig_write(r, TX_BUF, frame, len);
    put_desc(TX_BUF, 100, 0);
    put_desc(TX_BUF + 100, (len - 100) | (TXD_EOP | TXD_RS) << 24, 0);
    kick();
    uint8_t *got = g_malloc(NET_RIG_FRAME);
    g_assert_cmpuint(net_rig_receive(r, got), ==, len);
    g_assert_cmpmem(got, len, frame, len);
    g_assert_cmphex(net_rig_load(r, TX_RING + 12, 1), ==, 0);
    g_assert_cmphex(net_rig_load(r, TX_RING + 16 + 12, 1) & TXD_STA_DD, ==, TXD_STA_DD);
    g_assert_cmphex(net_rig_reg(r, ICR) & ICR_TXDW, ==, ICR_TXDW);
    g_assert_cmpuint(net_rig_reg(r, TPT), ==, 1);
    g_assert_cmpuint(net_rig_reg(r, TPT), ==, 0); /* cleared by reading */
    g_free(got);
    end();
}

static void put_context(bool tse, uint16_t mss, uint32_t paylen)
{
    uint64_t first = 14 | 24u << 8 | 33u << 16 | 34ull << 32 | 50ull << 40;

    put_desc(first, paylen | (TXD_DEXT | (tse ? TXD_TSE : 0) | TXC_TCP | 2) << 24,
             54u << 8 | (uint32_t)mss << 16);
}

static void put_data(uint64_t addr, uint32_t len, uint8_t command, uint32_t upper)
{
    put_desc(addr, len | 1u << 20 | (uint32_t)(TXD_DEXT | command) << 24, upper);
}

static bool sums_are_right(const uint8_t *data, size_t len)
{
    NetLayers l;

    return net_packet_layers(data, (uint32_t)len, &l) && l.end == len &&
           !net_sum_fold(net_sum(0, data + l.l3, l.l4 - l.l3)) &&
           !net_sum_fold(
               net_sum(net_pseudo_sum(data, &l, l.end - l.l4), data + l.l4, l.end - l.l4));
}

static void test_checksums_are_inserted(void)
{
    uint32_t len;
    uint16_t pseudo;
    NetLayers l;

    begin();
    len = tcp_frame(frame, 501);
    g_assert_true(net_packet_layers(frame, len, &l));
    pseudo = (uint16_t)~net_sum_fold(net_pseudo_sum(frame, &l, len - 34));
    memcpy(frame + 50, &pseudo, 2);
    net_rig_write(r, TX_BUF, frame, len);
    put_context(false, 0, 0);
    put_data(TX_BUF, len, TXD_EOP | TXD_RS, 3u << 8);
    kick();
    g_assert_cmpuint(net_rig_receive(r, frame), ==, len);
    g_assert_true(sums_are_right(frame, len));
    end();
}

static void test_a_long_packet_is_segmented(void)
{
    uint32_t len, total = 0;

    begin();
    len = tcp_frame(frame, 20000);
    frame[16] = frame[17] = 0; /* the hardware fills the length in */
    net_rig_write(r, TX_BUF, frame, len);
    put_context(true, 1460, 20000);
    put_data(TX_BUF, 54, TXD_TSE, 3u << 8);
    put_data(TX_BUF + 54, len - 54, TXD_TSE | TXD_EOP | TXD_RS, 0);
    kick();
    for (uint32_t i = 0; i < 14; i++) {
        size_t n = net_rig_receive(r, frame);
        g_assert_true(sums_are_right(frame, n));
        g_assert_cmpuint(frame[54], ==, (uint8_t)total);
        total += (uint32_t)n - 54;
    }
    g_assert_cmpuint(total, ==, 20000);
    end();
}

static void test_a_vlan_tag_is_put_in(void)
{
    uint32_t len;

    begin();
    net_rig_set_reg(r, CTRL, CTRL_SLU | CTRL_VME);
    net_rig_set_reg(r, VET, 0x8100);
    len = tcp_frame(frame, 100);
    net_rig_write(r, TX_BUF, frame, len);
    put_desc(TX_BUF, len | (TXD_EOP | TXD_RS | TXD_VLE) << 24, 0x2123u << 16);
    kick();
    g_assert_cmpuint(net_rig_receive(r, frame), ==, len + 4);
    g_assert_cmpmem(frame + 12, 6, "\x81\x00\x21\x23\x08\x00", 6);
    end();
}

/* ---- receiving ---- */

static void test_a_frame_arrives_with_its_checksums_checked(void)
{
    uint32_t len;

    begin();
    net_rig_set_reg(r, RXCSUM, RXCSUM_IPOFL | RXCSUM_TUOFL);
    len = tcp_frame(frame, 700);
    complete_sums(frame, len);
    net_rig_send(r, frame, len);
    net_rig_wait(r, first_received);
    g_assert_cmpuint(net_rig_load(r, RX_RING + 8, 2), ==, len);
    g_assert_cmphex(net_rig_load(r, RX_RING + 12, 1), ==, RXD_DD | RXD_EOP | RXD_TCPCS | RXD_IPCS);
    g_assert_cmphex(net_rig_load(r, RX_RING + 13, 1), ==, 0);
    g_assert_cmpmem(r->f->machine.ram->host + RX_BUF, len, frame, len);
    g_assert_cmphex(net_rig_reg(r, ICR) & ICR_RXT0, ==, ICR_RXT0);
    frame[60] ^= 1;
    net_rig_send(r, frame, len);
    while (!received(1)) {
        fixture_breathe(r->f);
    }
    g_assert_cmphex(net_rig_load(r, RX_RING + 16 + 13, 1), ==, RXD_TCPE);
    end();
}

static void test_filters_let_through_what_they_should(void)
{
    static const struct {
        uint8_t mac[6];
        uint32_t rctl;
        bool passes;
    } cases[] = {
        {{0x52, 0x54, 0, 0x12, 0x34, 0x56}, 0, true},
        {{0x52, 0x54, 0, 0x12, 0x34, 0x57}, 0, false},
        {{0x52, 0x54, 0, 0x12, 0x34, 0x57}, RCTL_UPE, true},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0, false},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, RCTL_BAM, true},
        {{0x33, 0x33, 0, 0, 0, 1}, 0, false},
        {{0x33, 0x33, 0, 0, 0, 1}, RCTL_MPE, true},
        {{0x01, 0x00, 0x5e, 0, 0, 0x10}, 0, true}, /* in the table below */
    };
    unsigned next = 0;

    begin();
    net_rig_set_reg(r, MTA + 4 * (0x100 >> 5), 1);
    tcp_frame(frame, 100);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        net_rig_set_reg(r, RCTL, RCTL_EN | RCTL_SECRC | cases[i].rctl);
        memcpy(frame, cases[i].mac, 6);
        net_rig_send(r, frame, 154);
        net_rig_settle(r);
        if (cases[i].passes) {
            for (int n = 0; n < 100000 && !received(next); n++) {
                fixture_breathe(r->f);
            }
        }
        g_assert_cmpint(received(next), ==, cases[i].passes);
        next += cases[i].passes;
    }
    end();
}

static void test_frames_wait_for_descriptors(void)
{
    begin();
    net_rig_set_reg(r, RDT, 2);
    for (int i = 0; i < 6; i++) {
        uint32_t len = tcp_frame(frame, 100);
        frame[54] = (uint8_t)i;
        net_rig_send(r, frame, len);
    }
    while (!received(1)) {
        fixture_breathe(r->f);
    }
    net_rig_settle(r);
    g_assert_false(received(2));
    net_rig_set_reg(r, RDT, RING - 1);
    while (!received(5)) {
        fixture_breathe(r->f);
    }
    for (uint64_t i = 0; i < 6; i++) {
        g_assert_cmpuint(net_rig_load(r, RX_BUF + i * RX_STRIDE + 54, 1), ==, i);
    }
    end();
}

static void test_a_long_frame_takes_several_descriptors(void)
{
    uint32_t len;

    begin();
    net_rig_set_reg(r, CTRL, CTRL_SLU | CTRL_VME);
    net_rig_set_reg(r, VET, 0x8100);
    len = tcp_frame(frame, 5000);
    memmove(frame + 16, frame + 12, len - 12);
    memcpy(frame + 12, "\x81\x00\x00\x07", 4);
    net_rig_send(r, frame, len + 4); /* too long */
    net_rig_settle(r);
    g_assert_false(received(0));
    net_rig_set_reg(r, RCTL, RCTL_EN | RCTL_SECRC | RCTL_LPE);
    net_rig_send(r, frame, len + 4);
    while (!received(2)) {
        fixture_breathe(r->f);
    }
    g_assert_cmphex(net_rig_load(r, RX_RING + 12, 1) & RXD_EOP, ==, 0);
    g_assert_cmphex(net_rig_load(r, RX_RING + 32 + 12, 1) & (RXD_EOP | RXD_VP), ==,
                    RXD_EOP | RXD_VP);
    g_assert_cmpuint(net_rig_load(r, RX_RING + 32 + 14, 2), ==, 7);
    g_assert_cmpuint(net_rig_load(r, RX_RING + 32 + 8, 2), ==, len - 4096);
    end();
}

/* ---- hostile ---- */

static void test_rings_that_make_no_sense_do_no_harm(void)
{
    begin();
    for (unsigned i = 0; i < RING; i++) { /* one frame that never ends, of the longest pieces */
        net_rig_store(r, TX_RING + 16 * i, UINT64_MAX - 1000, 8);
        net_rig_store(r, TX_RING + 16 * i + 8, 0x200fffffu, 4);
    }
    net_rig_set_reg(r, TDT, 7);
    net_rig_set_reg(r, TDT, 6);
    net_rig_set_reg(r, TDT, 0xffff); /* beyond the ring */
    net_rig_set_reg(r, TDH, 0xffff);
    net_rig_set_reg(r, TDT, 3);
    net_rig_set_reg(r, TDLEN, 0);
    net_rig_set_reg(r, TDH, 0);
    net_rig_set_reg(r, TDT, 0);
    net_rig_set_reg(r, TDLEN, 0xfff80); /* most of it outside of RAM */
    net_rig_set_reg(r, TDBAL, NET_RIG_RAM - 0x1000);
    net_rig_set_reg(r, TDT, 0xfff0);
    net_rig_set_reg(r, TDBAL, NET_RIG_BAR); /* its own registers */
    net_rig_set_reg(r, TDBAH, 0);
    net_rig_set_reg(r, TDT, 100);
    net_rig_set_reg(r, RDBAL, NET_RIG_BAR + TDBAL);
    tcp_frame(frame, 100);
    for (int i = 0; i < 20; i++) {
        net_rig_send(r, frame, 154);
    }
    net_rig_settle(r);
    net_rig_set_reg(r, CTRL, CTRL_RST);
    begin_rings();
    put_desc(TX_BUF, 60u | (TXD_EOP | TXD_RS) << 24, 0);
    kick();
    g_assert_cmpuint(net_rig_receive(r, frame), ==, 60);
    net_rig_wait(r, tx_is_done);
    end();
}

static void test_half_a_frame_survives_save_and_load(void)
{
    GByteArray *state;
    uint32_t len;

    begin();
    len = tcp_frame(frame, 500);
    net_rig_write(r, TX_BUF, frame, len);
    put_desc(TX_BUF, 100, 0);
    kick();
    state = fixture_save(r->dev);
    e1000_class.reset(r->dev);
    fixture_load(r->dev, state);
    put_desc(TX_BUF + 100, (len - 100) | (TXD_EOP | TXD_RS) << 24, 0);
    kick();
    g_assert_cmpuint(net_rig_receive(r, frame), ==, len);
    g_byte_array_unref(state);
    end();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"eeprom_holds_the_address_and_sums_up", test_eeprom_holds_the_address_and_sums_up},
        {"phy_has_its_link_as_the_network_says", test_phy_has_its_link_as_the_network_says},
        {"a_frame_in_pieces_is_sent_as_one", test_a_frame_in_pieces_is_sent_as_one},
        {"checksums_are_inserted", test_checksums_are_inserted},
        {"a_long_packet_is_segmented", test_a_long_packet_is_segmented},
        {"a_vlan_tag_is_put_in", test_a_vlan_tag_is_put_in},
        {"a_frame_arrives_with_its_checksums_checked",
         test_a_frame_arrives_with_its_checksums_checked},
        {"filters_let_through_what_they_should", test_filters_let_through_what_they_should},
        {"frames_wait_for_descriptors", test_frames_wait_for_descriptors},
        {"a_long_frame_takes_several_descriptors", test_a_long_frame_takes_several_descriptors},
        {"rings_that_make_no_sense_do_no_harm", test_rings_that_make_no_sense_do_no_harm},
        {"half_a_frame_survives_save_and_load", test_half_a_frame_survives_save_and_load},
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/e1000/%s", tests[i].name);
        g_test_add_func(path, tests[i].fn);
    }
    return g_test_run();
}
