package org.fhirstack.gateway.sync;

import com.github.benmanes.caffeine.cache.AsyncCache;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
import org.fhirstack.gateway.Refusal;

/**
 * What was looked up, kept for a while and until one of its types is written. Each key is looked up once however many
 * requests ask for it; failures are not kept.
 */
public final class Remembered<K, V> {

    private record Entry<K>(K key, long generation) {
    }

    private final Changes changes;
    private final Changes.Topic topic;
    private final boolean caching;
    private final AsyncCache<Entry<K>, V> cache;

    /**
     * @param kept   how long; zero: not at all
     * @param most   the weight of all values together
     * @param weight of one value
     */
    public Remembered(Changes changes, Changes.Topic topic, Duration kept, long most, ToIntFunction<V> weight) {
        this.changes = changes;
        this.topic = topic;
        this.caching = !kept.isZero();
        this.cache = Caffeine.newBuilder().maximumWeight(most)
                .weigher((Entry<K> entry, V value) -> weight.applyAsInt(value))
                .expireAfterWrite(caching ? kept : Duration.ofSeconds(1)).executor(Runnable::run).recordStats()
                .buildAsync();
    }

    public Cache<?, ?> cache() {
        return cache.synchronous();
    }

    /**
     * The value of a key.
     *
     * @param fresh true: looked up even when it is remembered
     */
    public V get(K key, boolean fresh, Supplier<V> lookup) {
        if (!caching) {
            return lookup.get();
        }
        Entry<K> entry = new Entry<>(key, changes.generation(topic));
        if (fresh) {
            V value = lookup.get();
            cache.put(entry, CompletableFuture.completedFuture(value));
            return value;
        }
        CompletableFuture<V> found = cache.getIfPresent(entry);
        if (found == null) {
            CompletableFuture<V> mine = new CompletableFuture<>();
            found = cache.asMap().putIfAbsent(entry, mine);
            if (found == null) {
                found = mine;
                complete(mine, lookup);
            }
        }
        try {
            return found.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof Refusal refusal) {
                throw refusal;
            }
            throw e;
        }
    }

    /** Looks up in the calling thread, outside of the cache's locks. */
    private static <V> void complete(CompletableFuture<V> mine, Supplier<V> lookup) {
        try {
            mine.complete(lookup.get());
        } catch (RuntimeException e) {
            mine.completeExceptionally(e);
        } catch (Error e) {
            // Whoever waits must not wait for ever.
            mine.completeExceptionally(e);
            throw e;
        }
    }
}
