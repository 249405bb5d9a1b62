package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.databind.JsonNode;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.Map;
import org.apache.hc.client5.http.classic.methods.HttpUriRequestBase;
import org.apache.hc.client5.http.config.ConnectionConfig;
import org.apache.hc.client5.http.config.RequestConfig;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.client5.http.io.HttpClientConnectionManager;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.Header;
import org.apache.hc.core5.http.HttpException;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.HttpRequest;
import org.apache.hc.core5.http.HttpResponse;
import org.apache.hc.client5.http.HttpRequestRetryStrategy;
import org.apache.hc.core5.http.NoHttpResponseException;
import org.apache.hc.core5.http.io.entity.ByteArrayEntity;
import org.apache.hc.core5.http.protocol.HttpContext;
import org.apache.hc.core5.util.TimeValue;
import org.apache.hc.core5.util.Timeout;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.Outgoing;

/** The FHIR server behind the gateway, over pooled connections; and plain GETs for the issuer's documents. */
public final class Backend implements AutoCloseable {
    private static final int CONNECTIONS = 100;
    private static final int LARGEST_LOOKUP = 16 << 20;
    /** What goes on for longer is a client's no more: the app gives up after 120 s, the edge after 130 s. */
    private static final Timeout SLOWEST_ANSWER = Timeout.ofSeconds(120);

    /** An open answer; closing it gives the connection back, or drops it when the body was not read. */
    public static final class Answer implements AutoCloseable {
        private final ClassicHttpResponse response;

        Answer(ClassicHttpResponse response) {
            this.response = response;
        }

        public int status() {
            return response.getCode();
        }

        public String header(String name) {
            Header header = response.getFirstHeader(name);
            return header == null ? null : header.getValue();
        }

        /** The body, or null when there is none. */
        public InputStream body() throws IOException {
            return response.getEntity() == null ? null : response.getEntity().getContent();
        }

        @Override
        public void close() {
            try {
                InputStream in = body();
                if (in != null && response.getEntity().getContentLength() < 65_536) {
                    in.skip(65_536);
                }
                response.close();
            } catch (IOException e) {
                // The connection is gone either way; the answer was given or refused already.
            }
        }
    }

    /** Tries once more when a kept-alive connection turned out to be closed; never because of a status. */
    private static final class StaleConnectionRetry implements HttpRequestRetryStrategy {
        @Override
        public boolean retryRequest(HttpRequest request, IOException e, int count, HttpContext context) {
            return count == 1 && e instanceof NoHttpResponseException
                    && (request.getMethod().equals("GET") || request.getMethod().equals("PUT"));
        }

        @Override
        public boolean retryRequest(HttpResponse response, int count, HttpContext context) {
            return false;
        }

        @Override
        public TimeValue getRetryInterval(HttpResponse response, int count, HttpContext context) {
            return TimeValue.ZERO_MILLISECONDS;
        }
    }

    private final CloseableHttpClient client;
    private final HttpHost host;
    private final String basePath;
    private final Timer ok;
    private final Timer failed;

    public Backend(String base, MeterRegistry metrics) {
        URI uri = URI.create(base);
        host = new HttpHost(uri.getScheme(), uri.getHost(), uri.getPort());
        basePath = uri.getRawPath();
        HttpClientConnectionManager pool = PoolingHttpClientConnectionManagerBuilder.create()
                .setMaxConnTotal(CONNECTIONS).setMaxConnPerRoute(CONNECTIONS)
                .setDefaultConnectionConfig(ConnectionConfig.custom().setConnectTimeout(Timeout.ofSeconds(3))
                        .setSocketTimeout(SLOWEST_ANSWER).setTimeToLive(TimeValue.ofMinutes(5))
                        .setValidateAfterInactivity(TimeValue.ofSeconds(2)).build()).build();
        client = HttpClients.custom().setConnectionManager(pool).disableRedirectHandling().disableCookieManagement()
                .disableAuthCaching().disableContentCompression().disableDefaultUserAgent()
                .setRetryStrategy(new StaleConnectionRetry())
                .setDefaultRequestConfig(RequestConfig.custom().setConnectionRequestTimeout(SLOWEST_ANSWER)
                        .setResponseTimeout(SLOWEST_ANSWER).build())
                .evictIdleConnections(TimeValue.ofSeconds(20)).build();
        ok = timer(metrics, "answered");
        failed = timer(metrics, "failed");
    }

    private static Timer timer(MeterRegistry metrics, String outcome) {
        return Timer.builder("fhir.gateway.backend").tag("outcome", outcome)
                .description("Time until the backend answered").register(metrics);
    }

    /** Sends a request; 502 when the backend cannot be reached, 504 when it does not answer in time. */
    public Answer send(Outgoing out, Map<String, String> headers) {
        String path = out.path().isEmpty() ? basePath : basePath + "/" + out.path();
        String query = out.query().isEmpty() ? "" : "?" + out.query().encode();
        HttpUriRequestBase request = new HttpUriRequestBase(out.method(),
                URI.create(host.toURI() + (path.isEmpty() ? "/" : path) + query));
        headers.forEach(request::setHeader);
        out.headers().forEach(request::setHeader);
        request.setHeader("Accept", "application/fhir+json");
        if (out.body() != null) {
            request.setEntity(new ByteArrayEntity(out.body(), null));
            request.setHeader("Content-Type", out.contentType());
        }
        long start = System.nanoTime();
        try {
            ClassicHttpResponse response = client.executeOpen(host, request, null);
            ok.record(System.nanoTime() - start, java.util.concurrent.TimeUnit.NANOSECONDS);
            return new Answer(response);
        } catch (IOException e) {
            failed.record(System.nanoTime() - start, java.util.concurrent.TimeUnit.NANOSECONDS);
            throw unreachable(e);
        }
    }

    static Refusal unreachable(IOException e) {
        boolean slow = e instanceof java.net.SocketTimeoutException
                && !(e instanceof org.apache.hc.client5.http.ConnectTimeoutException);
        return slow ? new Refusal(504, "backend-timeout", "The FHIR server did not answer in time.")
                : new Refusal(502, "backend-down", "The FHIR server cannot be reached.");
    }

    /** A lookup of the gateway's own: fresh, never from the backend's cache of searches. Null when 404 or 410. */
    public JsonNode lookup(Outgoing out) {
        try (Answer answer = send(out, Map.of("Cache-Control", "no-cache"))) {
            InputStream in = answer.body();
            byte[] body = in == null ? new byte[0] : in.readNBytes(LARGEST_LOOKUP + 1);
            if (answer.status() == 404 || answer.status() == 410) {
                return null;
            }
            if (answer.status() != 200 || body.length > LARGEST_LOOKUP) {
                throw new Refusal(502, "backend-lookup", "The FHIR server did not answer a lookup of the gateway.");
            }
            return Json.parse(body);
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    /** A plain GET of a document of another server. */
    public byte[] fetch(String url) throws IOException {
        HttpUriRequestBase request = new HttpUriRequestBase("GET", URI.create(url));
        request.setHeader("Accept", "application/json");
        request.setConfig(RequestConfig.custom().setResponseTimeout(Timeout.ofSeconds(5)).build());
        return client.execute(request, response -> {
            if (response.getCode() != 200 || response.getEntity() == null) {
                throw new HttpException("HTTP " + response.getCode() + " from " + url);
            }
            return response.getEntity().getContent().readNBytes(1 << 20);
        });
    }

    @Override
    public void close() throws IOException {
        client.close();
    }
}
