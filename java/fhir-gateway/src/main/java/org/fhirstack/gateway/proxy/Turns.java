package org.fhirstack.gateway.proxy;

import jakarta.servlet.AsyncContext;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.fhirstack.gateway.Refusal;

/**
 * So many writes go to the FHIR server at one time, and half as many of one sender; others wait for their turn, without a
 * thread. A write holds a connection of the FHIR server's pool from its first entry to its last: when as many run as there
 * are connections, everybody else, readers too, waits for one and fails.
 */
public final class Turns implements AutoCloseable {
    /** The app gives up after 120 s (its NetworkModule); what is refused before that it sends again with the next sync. */
    private static final long PATIENCE_SECONDS = 90;
    private final Room room;
    private final long patience;
    private final ScheduledExecutorService watch = Executors.newSingleThreadScheduledExecutor(r -> {
        Thread thread = new Thread(r, "turns-watch");
        thread.setDaemon(true);
        return thread;
    });

    public Turns(int atOnce) {
        this(atOnce, TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
    }

    Turns(int atOnce, long patienceMillis) {
        this.room = new Room(atOnce, Math.max(1, atOnce / 2));
        this.patience = patienceMillis;
    }

    /**
     * Calls {@code then} when it is the owner's turn, which lasts until {@code then} is over.
     *
     * @param async  on whose threads {@code then} is called when it had to wait
     * @param failed gets 503 instead when the turn does not come
     */
    void take(AsyncContext async, String owner, Runnable then, Consumer<Refusal> failed) {
        Runnable turn = () -> {
            try {
                then.run();
            } finally {
                room.release(owner, 1);
            }
        };
        AtomicReference<Future<?>> limit = new AtomicReference<>();
        Runnable later = () -> {
            Future<?> pending = limit.get();
            if (pending != null) {
                pending.cancel(false);
            }
            try {
                async.start(turn);
            } catch (IllegalStateException e) {
                // The container has ended the request.
                room.release(owner, 1);
                failed.accept(Room.busy());
            }
        };
        boolean now;
        try {
            now = room.take(owner, 1, later);
        } catch (Refusal full) {
            failed.accept(full);
            return;
        }
        if (now) {
            turn.run();
            return;
        }
        limit.set(watch.schedule(() -> {
            if (room.cancel(later)) {
                async.start(() -> failed.accept(Room.busy()));
            }
        }, patience, TimeUnit.MILLISECONDS));
    }

    @Override
    public void close() {
        watch.shutdownNow();
    }
}
