package org.fhirstack.gateway.proxy;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.concurrent.Semaphore;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.token.User;

/** What answers that are on their way to their readers share: memory, and the few workers that may wait for readers. */
public final class Deliveries {
    private static final int NETWORK_BYTES = 8;
    private static final int PARTS = 4;
    private static final int PART_THAT_WAITS = 8;
    private final Room room;
    private final Semaphore waits;

    /**
     * @param all     bytes of all answers that are held for their readers at one time, beyond the first 64 KB of each;
     *                one user has a quarter of it, and so have all strangers of one address
     * @param workers threads that answer, of which few may wait for a reader
     */
    public Deliveries(long all, int workers) {
        room = new Room(all, all / PARTS);
        waits = new Semaphore(Math.max(1, workers / PART_THAT_WAITS));
    }

    /** @param user null for a stranger */
    static String owner(User user, HttpServletRequest request) {
        return user == null ? "address " + network(request.getHeader("X-Forwarded-For")) : "user " + user.sub();
    }

    /** The address as the edge wrote it; of IPv6 the network, in which one person has all addresses. */
    private static String network(String address) {
        if (address == null || !address.matches("[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")) {
            return address;
        }
        try {
            // What has a colon is never looked up.
            return Arrays.toString(Arrays.copyOf(InetAddress.getByName(address).getAddress(), NETWORK_BYTES));
        } catch (UnknownHostException e) {
            return address;
        }
    }

    Delivery open(String owner, HttpServletResponse response) {
        return new Delivery(this, owner, response);
    }

    boolean take(String owner, int size) {
        return room.tryTake(owner, size);
    }

    void release(String owner, long size) {
        room.release(owner, size);
    }

    /** Lets a worker wait for a reader. */
    void startWaiting() {
        if (!waits.tryAcquire()) {
            throw new Refusal(503, "busy", "Too many large answers at one time; try again soon.");
        }
    }

    void endWaiting() {
        waits.release();
    }
}
