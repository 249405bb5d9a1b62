package org.fhirstack.gateway.proxy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import org.fhirstack.gateway.Refusal;

/**
 * Memory that many share, in bytes: so much for all together, and not more than a part of it for any one of them. Who
 * finds no room waits in a queue; whoever waits for a share of his own does not keep others waiting.
 */
final class Room {
    private static final int MOST_WAITING = 500;
    private final long all;
    private final long each;
    private long used;
    private final Map<String, Long> byOwner = new HashMap<>();
    private final List<Waiter> waiting = new LinkedList<>();

    private record Waiter(String owner, long size, Runnable then) {
    }

    Room(long all, long each) {
        this.all = Math.max(all, each);
        this.each = each;
    }

    /**
     * Takes room, or waits for it.
     *
     * @param then called when the room was taken later, by whoever gave room back; it must not take long
     * @return true when the room was taken; false when {@code then} will be called
     */
    synchronized boolean take(String owner, long size, Runnable then) {
        if (fits(owner, size)) {
            add(owner, size);
            return true;
        }
        if (waiting.size() >= MOST_WAITING) {
            throw busy();
        }
        waiting.add(new Waiter(owner, size, then));
        return false;
    }

    /** Takes room if there is some now. */
    synchronized boolean tryTake(String owner, long size) {
        if (!fits(owner, size)) {
            return false;
        }
        add(owner, size);
        return true;
    }

    static Refusal busy() {
        return new Refusal(503, "busy", "Too many uploads at one time; try again soon.");
    }

    /** Gives up waiting; false when the room was taken already, and {@code then} called or about to be. */
    synchronized boolean cancel(Runnable then) {
        return waiting.removeIf(w -> w.then() == then);
    }

    void release(String owner, long size) {
        if (size == 0) {
            return;
        }
        List<Runnable> next = new ArrayList<>();
        synchronized (this) {
            add(owner, -size);
            for (Iterator<Waiter> i = waiting.iterator(); i.hasNext();) {
                Waiter w = i.next();
                if (fits(w.owner(), w.size())) {
                    add(w.owner(), w.size());
                    next.add(w.then());
                    i.remove();
                }
            }
        }
        next.forEach(Runnable::run);
    }

    private boolean fits(String owner, long size) {
        return used + size <= all && byOwner.getOrDefault(owner, 0L) + size <= each;
    }

    private void add(String owner, long size) {
        used += size;
        byOwner.merge(owner, size, (a, b) -> a + b == 0 ? null : a + b);
    }
}
