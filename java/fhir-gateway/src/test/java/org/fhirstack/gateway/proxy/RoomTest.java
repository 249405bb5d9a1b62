package org.fhirstack.gateway.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.fhirstack.gateway.Refusal;
import org.junit.jupiter.api.Test;

class RoomTest {
    private final List<String> called = new ArrayList<>();
    private final Room room = new Room(100, 60);

    private Runnable call(String name) {
        return () -> called.add(name);
    }

    @Test
    void eachHasAPartAndAllHaveTheWhole() {
        assertTrue(room.take("a", 60, call("a")));
        assertFalse(room.take("a", 1, call("a more")));
        assertTrue(room.take("b", 40, call("b")));
        assertFalse(room.take("c", 10, call("c")));
        assertFalse(room.take("d", 50, call("d")));
        room.release("b", 40);
        // a waits for its own part, d for more than there is; c does not wait for them.
        assertEquals(List.of("c"), called);
        room.release("a", 60);
        assertEquals(List.of("c", "a more", "d"), called);
    }

    @Test
    void whoGivesUpGetsNothing() {
        room.take("a", 60, call("a"));
        room.take("b", 40, call("b"));
        Runnable gone = call("gone");
        assertFalse(room.take("c", 40, gone));
        assertTrue(room.cancel(gone));
        assertFalse(room.cancel(gone));
        room.release("b", 40);
        assertEquals(List.of(), called);
        assertTrue(room.take("d", 40, call("d")));
    }

    @Test
    void theQueueHasALimit() {
        room.take("a", 60, call("a"));
        room.take("b", 40, call("b"));
        for (int i = 0; i < 500; i++) {
            assertFalse(room.take("c", 1, call("c")));
        }
        assertEquals(503, assertThrows(Refusal.class, () -> room.take("c", 1, call("c"))).status());
    }

    @Test
    void paceOfASender() {
        long second = 1_000_000_000L;
        Pace pace = new Pace(0);
        assertFalse(pace.tooSlow(14 * second, 0));
        assertFalse(pace.tooSlow(15 * second, 7_680));
        assertTrue(pace.tooSlow(30 * second, 7_680 + 7_679));
        Pace stalled = new Pace(0);
        assertFalse(stalled.tooSlow(15 * second, 30 << 20));
        assertTrue(stalled.tooSlow(30 * second, (30 << 20) + 60_000));
        Pace delayed = new Pace(0);
        delayed.restart(20 * second, 1_000);
        assertFalse(delayed.tooSlow(30 * second, 1_000));
    }
}
